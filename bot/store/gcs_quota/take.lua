-- Take calls out of the quota that all workers share, or say how long to wait for one.
-- KEYS 1 window (zset: call → server time ms); ARGV 1 calls in a window, 2 window ms, 3 a name for the calls,
--      4 how many (0 to ask only; fewer may be given), 5 for whom: 'people', 'looks' or 'lists', 6 slow start ms,
--      7 calls that are kept for people
-- Returns calls left after these, ms to wait (0: there were some), calls taken, calls left in the window, and how many
--      ms an execution that lists show may be left to them ('0': none are read)
-- While lists are read, looks leave to them what they can use, a third of the calls at most.
-- After a refusal (refused.lua) nothing is handed out for as long as GCS said, and then, to the watch, more and more.
local window, limit, span, wanted, whom = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4]), ARGV[5]
local slow, reserve = tonumber(ARGV[6]), whom == 'people' and 0 or tonumber(ARGV[7])
local now = server_time()
local lists, people = window .. ':lists', window .. ':people'
for _, calls in ipairs({window, lists, people}) do redis.call('ZREMRANGEBYSCORE', calls, '-inf', now - span) end
local hold = tonumber(redis.call('GET', window .. ':hold') or '0')
if now < hold then return {0, hold - now, 0, 0, '0'} end
local reading, useful = string.match(redis.call('GET', window .. ':reading') or '0', '^(%d+)|?(%d*)$')
local share = whom == 'looks' and math.min(tonumber(useful) or 0, math.floor((limit - reserve) / 3)) or 0
local in_window = limit - redis.call('ZCARD', window) - reserve - math.max(0, share - redis.call('ZCARD', lists))
if in_window <= 0 then
  -- The call that must leave the window before one is free again.
  local blocking = redis.call('ZRANGE', window, math.max(0, -in_window), math.max(0, -in_window), 'WITHSCORES')
  local wait = blocking[2] and tonumber(blocking[2]) + span - now + 1 or 1000
  return {0, math.max(1, wait), 0, 0, reading}
end
local left = in_window
if whom ~= 'people' then
  -- Calls of the watch since then; a look does not mind those of lists while these have a share of their own.
  local function made(since)
    local count = redis.call('ZCOUNT', window, since, '+inf') - redis.call('ZCOUNT', people, since, '+inf')
    return share > 0 and count - redis.call('ZCOUNT', lists, since, '+inf') or count
  end
  local since = now - hold
  if since < slow then
    -- A quarter of the rate, and then more and more, whatever was used before the refusal and people use now: so many
    -- calls may have left by now.
    local allowed = limit / span * since * (0.25 + 0.375 * since / slow)
    left = math.min(left, math.floor(allowed - math.min(allowed / 3, share * since / span)) + 1 - made('(' .. hold))
  end
  if whom == 'looks' then
    -- A sixth of the time has a fifth of what people and lists leave: a burst would come again with each window, and
    -- leave nothing between.
    local burst = math.floor((limit - reserve - share - redis.call('ZCARD', people)) / 5)
    left = math.min(left, math.max(burst, 20) - made(now - span / 6))
  end
end
if left <= 0 then return {0, 1000, 0, in_window, reading} end
local taken = math.min(wanted, left)
for _, calls in ipairs({window, whom == 'lists' and lists or '', whom == 'people' and people or ''}) do
  if calls ~= '' and taken > 0 then
    for i = 1, taken do redis.call('ZADD', calls, now, ARGV[3] .. i) end
    redis.call('PEXPIRE', calls, span)
  end
end
return {left - taken, 0, taken, in_window - taken, reading}
