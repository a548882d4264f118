-- What was to end goes on: GCS shows it again, or Slack takes its messages.
-- KEYS: prefix of a brake
-- item: what goes on; window: ms
-- Returns the reasons for which the brake let go
local prefix, item, window = KEYS[1], unpack(ARGV)
local now, released = now_ms(), {}
for _, reason in ipairs(redis.call('HKEYS', prefix .. 'on')) do
  local destination = destination_of(reason, item)
  if destination then redis.call('ZREM', refused_key(prefix, reason), destination) end
  if redis.call('ZREM', prefix .. 'waiting:' .. reason, item) == 1 then
    forget_old(prefix, reason, now, window)
    local brake = read_brake(prefix, reason)
    local is_placed = brake and brake.kind == 'place'
    if is_placed then redis.call('HDEL', prefix .. 'on', reason) end
    if brake and brake.kind == 'count' then
      brake.kind = 'fading'
      write_brake(prefix, reason, brake)
    end
    local _, has_let_go = let_go(prefix, reason, not is_placed and brake or nil)
    if is_placed or has_let_go then released[#released + 1] = reason end
  end
end
return released
