-- Which reasons are braked.
-- KEYS: prefix of a brake
-- Returns per reason {reason, since ms, limit, kind, how many wait}
local prefix = KEYS[1]
local now, found = now_ms(), {}
for _, reason in ipairs(redis.call('HKEYS', prefix .. 'on')) do
  local brake = read_brake(prefix, reason)
  local waiting = redis.call('ZCOUNT', prefix .. 'waiting:' .. reason, now - FORGOTTEN_AFTER, '+inf')
  if brake and waiting > 0 then found[#found + 1] = {reason, brake.since, brake.limit, brake.kind, waiting} end
end
return found
