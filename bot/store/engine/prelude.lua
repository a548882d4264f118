-- In front of every script: the server's clock.

-- Microseconds since 1970.
local function now_us()
  local clock = redis.call('TIME')
  return clock[1] * 1000000 + clock[2]
end

-- Milliseconds since 1970.
local function now_ms()
  return math.floor(now_us() / 1000)
end
