-- Mute a subscription, or end that; its card says so at once.
-- KEYS: partition prefix
-- muted: until when, as in its row, or '' to end it; notice: entry for the thread, or ''
-- Returns 1, 0 when there was nothing to end, or nil when there is no such subscription
-- One that waits to be forgotten may still hold what is to be read when the mute ends.
local prefix, lane, muted, notice = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription or (subscription.is_ending and muted ~= '') then return nil end
local now = now_ms()

-- The first entry that waits and is no notice: those stay in order, since a receipt counts them.
local function first_change()
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, -1)) do
    local _, kind = parse_change(entry)
    if not NOTICES[kind] then return entry end
  end
end

-- Word of another mute must not bring what waits for the end of the first.
local is_renewed = muted ~= '' and quiet_times(subscription, now) > 0
if muted == '' then
  local before = string.match(subscription.muted, '^%w+')
  if not before or (before ~= 'end' and (tonumber(before) or 0) <= now) then return 0 end
  muted = string.format('%d', now) -- since when what waits has been late
end
if subscription.muted == muted then return 1 end -- the script was run twice, because its answer was lost
subscription.muted = muted
write_subscription(prefix, execution, subscriber, subscription)
if notice ~= '' and has_card(prefix, execution, subscriber) then
  local held = is_renewed and first_change()
  if held then
    redis.call('LINSERT', prefix .. 'changes:' .. lane, 'BEFORE', held, notice)
  else
    queue(prefix, lane, notice)
  end
end
request_edit(prefix, execution, subscriber)
wake(prefix, lane, now, now)
return 1
