-- All rules of an account.
-- KEYS: home of its rules
-- Returns {now in ms; ms: executions created before that were looked at, which is now before the first look; field, row …}
local now = now_ms()
local through = tonumber(redis.call('GET', KEYS[1] .. 'through') or now)
return {now, through, redis.call('HGETALL', KEYS[1] .. 'rows')}
