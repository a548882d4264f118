-- Note that a request is worked on, unless it is noted already.
-- KEYS: the request
-- token: of this attempt, which may be sent twice; keep_ms: how long it is remembered
-- Returns 1 for the attempt that noted it, 0 for every other
local key, token, keep_ms = KEYS[1], unpack(ARGV)
if redis.call('SET', key, token, 'NX', 'PX', keep_ms) then
  return 1
end
return redis.call('GET', key) == token and 1 or 0
