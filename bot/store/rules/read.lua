-- All rules of an account.
-- KEYS: home of its rules
-- Returns {now in ms; ms: older executions were scanned before; before the first scan that is now; field, row …}
local now = now_ms()
-- One that is yet to come is of a clock that was set back.
local through = math.min(now, redis.call('GET', KEYS[1] .. 'through') or now)
return {now, through, redis.call('HGETALL', KEYS[1] .. 'rows')}
