-- Take calls out of the quota that all workers share, or say how long to wait for one.
-- KEYS 1 window (zset: call → server time ms); ARGV 1 calls in a window, 2 window ms, 3 a name for the calls,
--      4 how many (0 to ask only; fewer may be given), 5 slow start ms (0: none), 6 calls that are kept for somebody else,
--      7 the share of lists while these are being read: what they have not used of it is kept, too; or '' for a list
--      8 calls in a sixth of a window, at most: a burst would come again with each window, and leave nothing between
-- Returns calls left after these, ms to wait (0: there were some), calls taken, calls left in the window, and how many
--      ms an execution that lists show may be left to them ('0': none are read)
-- After a refusal (refused.lua) nothing is handed out for as long as GCS said, and then, to the watch, more and more.
local window, limit, span, wanted = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[4])
local now = server_time()
local kept = tonumber(ARGV[6])
local lists = window .. ':lists'
redis.call('ZREMRANGEBYSCORE', lists, '-inf', now - span)
local reading = redis.call('GET', window .. ':reading') or '0'
if ARGV[7] ~= '' and reading ~= '0' then
  kept = kept + math.max(0, tonumber(ARGV[7]) - redis.call('ZCARD', lists))
end
local hold = tonumber(redis.call('GET', window .. ':hold') or '0')
if now < hold then return {0, hold - now, 0, 0, '0'} end
local slow = tonumber(ARGV[5])
local ramp = slow == 0 and 1 or (now - hold) / slow
local whole = limit
if ramp < 1 then limit = math.max(1, math.floor(whole * ramp)) end
redis.call('ZREMRANGEBYSCORE', window, '-inf', now - span)
local used = redis.call('ZCARD', window)
local left = limit - kept - used
if left <= 0 then
  -- The call that must leave the window before one is free again.
  local blocking = redis.call('ZRANGE', window, math.max(0, -left), math.max(0, -left), 'WITHSCORES')
  local wait = blocking[2] and tonumber(blocking[2]) + span - now + 1 or span
  if ramp < 1 then wait = math.min(wait, math.ceil((used + kept + 1) / whole * slow) + hold - now) end
  return {0, math.max(1, wait), 0, 0, reading}
end
local whole_left = left
if ARGV[8] ~= '' then
  left = math.min(left, math.max(tonumber(ARGV[8]), 20) - redis.call('ZCOUNT', window, now - span / 6, '+inf'))
  if left <= 0 then return {0, 1000, 0, whole_left, reading} end
end
local taken = math.min(wanted, left)
for i = 1, taken do
  redis.call('ZADD', window, now, ARGV[3] .. i)
  if ARGV[7] == '' then redis.call('ZADD', lists, now, ARGV[3] .. i) end
end
if taken > 0 then redis.call('PEXPIRE', window, span) end
if taken > 0 and ARGV[7] == '' then redis.call('PEXPIRE', lists, span) end
return {left - taken, 0, taken, whole_left - taken, reading}
