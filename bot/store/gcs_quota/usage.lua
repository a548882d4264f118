-- How much of the quota is used.
-- KEYS: window of the GCS user
-- span: ms of the window
-- Returns calls in the window, and for how many ms nobody calls
local window, span = KEYS[1], unpack(ARGV)
local now = now_ms()
local pause = tonumber(redis.call('GET', window .. ':pause') or '0') - now
return {redis.call('ZCOUNT', window, now - span, '+inf'), math.max(0, pause)}
