-- Take calls out of the quota that all workers share, or say how long to wait for one.
-- KEYS 1 window (zset: call → server time ms); ARGV 1 calls in a window, 2 window ms, 3 a name for the calls,
--      4 how many (0 to ask only; fewer may be given), 5 slow start ms (0: none), 6 calls that are kept for somebody else,
--      7 the share of lists while these are being read: what they have not used of it is kept, too; or '' for a list
--      8 calls in a sixth of a window, at most, beside people's: a burst would come again with each window, and leave
--      nothing between; or '' for a person
-- Returns calls left after these, ms to wait (0: there were some), calls taken, calls left in the window, and how many
--      ms an execution that lists show may be left to them ('0': none are read)
-- After a refusal (refused.lua) nothing is handed out for as long as GCS said, and then, to the watch, more and more.
local window, limit, span, wanted = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local now = server_time()
local kept = tonumber(ARGV[6])
local lists, people = window .. ':lists', window .. ':people'
redis.call('ZREMRANGEBYSCORE', lists, '-inf', now - span)
redis.call('ZREMRANGEBYSCORE', people, '-inf', now - span)
local reading = redis.call('GET', window .. ':reading') or '0'
if ARGV[7] ~= '' and reading ~= '0' then
  kept = kept + math.max(0, tonumber(ARGV[7]) - redis.call('ZCARD', lists))
end
local hold = tonumber(redis.call('GET', window .. ':hold') or '0')
if now < hold then return {0, hold - now, 0, 0, '0'} end
redis.call('ZREMRANGEBYSCORE', window, '-inf', now - span)
local used = redis.call('ZCARD', window)
local in_window = limit - kept - used
if in_window <= 0 then
  -- The call that must leave the window before one is free again.
  local blocking = redis.call('ZRANGE', window, math.max(0, -in_window), math.max(0, -in_window), 'WITHSCORES')
  local wait = blocking[2] and tonumber(blocking[2]) + span - now + 1 or 1000
  return {0, math.max(1, wait), 0, 0, reading}
end
local left, slow, since = in_window, tonumber(ARGV[5]), now - hold
if since < slow then
  -- After a refusal a quarter of the rate, and then more and more, whatever was used before it and people use now: so
  -- many calls may have left by now. Looks leave a third of them to lists, which say where to look.
  local allowed = math.floor(limit / span * since * (0.25 + 0.375 * since / slow)) + 1
  local made = redis.call('ZCOUNT', window, '(' .. hold, '+inf') - redis.call('ZCOUNT', people, '(' .. hold, '+inf')
  if ARGV[7] ~= '' and reading ~= '0' then
    allowed, made = math.ceil(allowed * 2 / 3), made - redis.call('ZCOUNT', lists, '(' .. hold, '+inf')
  end
  left = math.min(left, allowed - made)
end
if ARGV[8] ~= '' then
  local lately = redis.call('ZCOUNT', window, now - span / 6, '+inf') - redis.call('ZCOUNT', people, now - span / 6, '+inf')
  left = math.min(left, math.max(tonumber(ARGV[8]), 20) - lately)
end
if left <= 0 then return {0, 1000, 0, in_window, reading} end
local taken = math.min(wanted, left)
for i = 1, taken do
  redis.call('ZADD', window, now, ARGV[3] .. i)
  if ARGV[7] == '' then redis.call('ZADD', lists, now, ARGV[3] .. i) end
  if ARGV[8] == '' then redis.call('ZADD', people, now, ARGV[3] .. i) end
end
if taken > 0 then redis.call('PEXPIRE', window, span) end
if taken > 0 and ARGV[7] == '' then redis.call('PEXPIRE', lists, span) end
if taken > 0 and ARGV[8] == '' then redis.call('PEXPIRE', people, span) end
return {left - taken, 0, taken, in_window - taken, reading}
