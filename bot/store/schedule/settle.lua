-- Settle a poll: snapshot, next due time and outbox entries, all or nothing.
-- KEYS: partition prefix
-- header: of `snapshot`, in which the list's fingerprint is not used; listed_then: fingerprint that the list had shown
-- when the poll began; next_poll: ms, or '' when the execution is over; is_visible: '1' when cards look different;
-- coalesce: ms to wait for more before cards and progress are delivered; is_expedited: whether the next poll goes ahead
-- of what is merely due ('1', '' or 'as before'); alarm: ms until the execution is polled in any case, '' for never, or
-- 'as before': then not before the next poll; then per change: rank (-1 no level, 0 steps, 1 milestones, 2 the end,
-- 3 trouble), entry, row of the log
-- Returns 1, or 0 when the claim is lost: another worker polled later, and its result must not be overwritten
local prefix, execution, token, header, snapshot, listed_then, next_poll, is_visible, coalesce, is_expedited, alarm =
  KEYS[1], unpack(ARGV, 1, 10)
local FIRST_CHANGE = 11
if redis.call('HGET', prefix .. 'leases', execution) ~= token then return 0 end
redis.call('HDEL', prefix .. 'leases', execution)
local subscriptions = redis.call('HGETALL', prefix .. 'subs:' .. execution)
if #subscriptions == 0 then
  forget_execution(prefix, execution)
  return 1
end
local now, is_over = now_ms(), next_poll == ''
local listed = header_field(read_header(prefix, execution), 'listed')
redis.call('SET', prefix .. 'snap:' .. execution, with_header_field(header, 'listed', listed) .. snapshot)

if is_over then
  stop_polling(prefix, execution)
else
  local at = now + next_poll
  if is_expedited == 'as before' then
    reschedule(prefix, execution, at)
  else
    redis.call('ZADD', prefix .. 'due', at, execution)
    stop_expediting(prefix, execution)
    if is_expedited == '1' then expedite(prefix, execution, at) end
  end
  if alarm == 'as before' then
    postpone_alarm(prefix, execution, at)
  else
    set_alarm(prefix, execution, alarm ~= '' and now + alarm)
  end
  -- A list may have shown something newer during this poll.
  if listed ~= listed_then and listed ~= header_field(header, 'state') then expedite(prefix, execution, now, listed) end
end

-- Whether the execution ends with this poll, for now or for good.
local is_end = is_over
for i = FIRST_CHANGE + 1, #ARGV, 3 do
  local _, kind = parse_change(ARGV[i])
  is_end = is_end or kind == 'outcome' or kind == 'vanished'
end

-- The lowest rank that any subscriber's level includes.
local included_from = math.huge
for i = 2, #subscriptions, 2 do
  local subscription = parse_subscription(subscriptions[i])
  if not (subscription and subscription.is_ending) then
    included_from = math.min(included_from, lowest(subscription and subscription.level))
  end
end
for i = FIRST_CHANGE, #ARGV, 3 do
  note_change(prefix, execution, ARGV[i + 2], tonumber(ARGV[i]) >= included_from)
end

-- Queue the changes that a subscription includes; returns when its lane is to be delivered, or nil, and how many.
local function queue_changes(lane, subscriber, subscription)
  local least = lowest(subscription and subscription.level)
  local shows_nothing = subscription and is_silent(subscription) and not has_card(prefix, execution, subscriber)
  local at = is_visible == '1' and not shows_nothing and now + coalesce or nil
  local queued = 0
  for i = FIRST_CHANGE, #ARGV, 3 do
    local rank, entry = tonumber(ARGV[i]), ARGV[i + 1]
    if rank >= least then
      queue(prefix, lane, entry)
      queued = queued + 1
      if rank >= 2 then at = now end
    end
  end
  return at, queued
end

-- What was queued begins to wait for the end of quiet.
local function note_quiet(lane, subscriber, subscription, quiet, queued)
  if queued == 0 or redis.call('LLEN', prefix .. 'changes:' .. lane) > queued then return end
  local till = string.match(subscription.muted, '^%w+')
  local why = (quiet == math.huge or tonumber(till) == quiet) and 'm' or 'h'
  local ends = quiet == math.huge and 'end' or string.format('%d', quiet / 1000)
  note(prefix, execution, string.format('q%s|%s|%s', subscriber, ends, why))
end

for i = 1, #subscriptions, 2 do
  local subscriber, subscription = subscriptions[i], parse_subscription(subscriptions[i + 1])
  local lane = execution .. '/' .. subscriber
  local is_ending = subscription and subscription.is_ending
  local at, queued = nil, 0
  if not is_ending then at, queued = queue_changes(lane, subscriber, subscription) end
  if is_over and subscription and not is_ending then
    subscription.is_ending = true
    write_subscription(prefix, execution, subscriber, subscription)
    at = now
  end
  if is_end and subscription and string.sub(subscription.muted, 1, 3) == 'end' then
    subscription.muted = string.format('%d', now)
    write_subscription(prefix, execution, subscriber, subscription)
    at = now
  end
  local quiet = at and quiet_until(prefix, lane, subscription, now)
  if quiet then
    note_quiet(lane, subscriber, subscription, quiet, queued)
    keep(prefix, lane, quiet)
  elseif at then
    wake(prefix, lane, at, now)
  end
end
return 1
