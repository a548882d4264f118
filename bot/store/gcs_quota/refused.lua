-- GCS refused a call for lack of quota: nobody calls for as long as it said.
-- KEYS 1 window; ARGV 1 ms to stay away, 2 slow start ms
local now = server_time()
local hold = KEYS[1] .. ':hold'
local until_ms = math.max(tonumber(redis.call('GET', hold) or '0'), now + tonumber(ARGV[1]))
redis.call('SET', hold, string.format('%d', until_ms), 'PX', until_ms - now + tonumber(ARGV[2]))
return 1
