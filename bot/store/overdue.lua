-- For how long something has been due.
-- KEYS 1 zset of what becomes due when
-- Returns ms since the first of it was due; below 0 when nothing is
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return first[2] and server_time() - first[2] or -1
