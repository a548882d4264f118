-- For how long a lane's time has come.
-- KEYS 1 partition prefix
-- Returns ms since the first of it came; below 0 when none has
local first = redis.call('ZRANGE', KEYS[1] .. 'outbox', 0, 0, 'WITHSCORES')
return first[2] and server_time() - first[2] or -1
