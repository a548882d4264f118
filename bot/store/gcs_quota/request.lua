-- Count one request of a person, or say how long until the next one.
-- KEYS: the person's requests
-- interval: ms between requests in the long run; burst: requests at once; silence: ms until a refusal is repeated
-- Returns ms to wait (0: the request is counted), and 1 if the person has read that less than `silence` ago
local interval, burst, silence = unpack(ARGV)
local now = now_ms()
local fields = redis.call('HMGET', KEYS[1], 'busy_until', 'silent_until')
local busy_until, silent_until = math.max(now, tonumber(fields[1]) or 0), tonumber(fields[2]) or 0
local wait = busy_until - now - (burst - 1) * interval
if wait > 0 then
  if now < silent_until then return {wait, 1} end
  redis.call('HSET', KEYS[1], 'silent_until', now + silence)
  redis.call('PEXPIRE', KEYS[1], math.max(silence, busy_until - now))
  return {wait, 0}
end
redis.call('HSET', KEYS[1], 'busy_until', busy_until + interval)
redis.call('PEXPIRE', KEYS[1], busy_until + interval - now + silence)
return {0, 0}
