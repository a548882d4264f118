-- GCS refused a call for lack of quota: nobody calls for as long as it said.
-- KEYS: window
-- pause, slow_start: ms
local window, pause, slow_start = KEYS[1], unpack(ARGV)
local now = now_ms()
local ends = math.max(tonumber(redis.call('GET', window .. ':pause') or '0'), now + pause)
redis.call('SET', window .. ':pause', string.format('%d', ends), 'PX', ends - now + slow_start)
return 1
