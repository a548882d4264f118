-- Subscribe, or change the level of a subscription that exists; watch the execution and have the card posted.
-- KEYS: partition prefix
-- subscription: a row; text: header and snapshot, for an execution that is not watched; first_poll: ms until then;
-- alarm: ms until it is polled in any case, '' for never; revision: of that snapshot; notice: entry for the thread if
-- the level changes, or ''; known: the living row that the caller decided from, '' for none, '*' for any, '!' for one
-- that the caller cannot read
-- Returns the row that was there before, or nil. One that was ending goes on, without its farewell.
-- Nothing is written when it returns a number: the snapshot is behind that revision, and changes would be taken for
-- delivered ones; or {row}: somebody else has written that since the caller looked.
local prefix, lane, subscription, text, first_poll, alarm, revision, notice, known = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local now = now_ms()
local before = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)
local wanted, existing = parse_subscription(subscription), before and known ~= '!' and parse_subscription(before)

-- Whether two levels are the same, or none is chosen in either; the caller writes a former word as what it is called now.
local function is_same(one, other)
  if one == other then return true end
  local is_level = one ~= '' and one ~= '-' and other ~= '' and other ~= '-'
  return is_level and lowest(one) == lowest(other)
end

-- Whether the caller knows what is there, or wrote it itself: the script may be run twice, if its answer was lost.
local function is_known(there)
  if known == '*' or known == '!' then return true end
  if there and there.request ~= '' and there.request == wanted.request then return true end
  local seen = parse_subscription(known)
  if not seen or not there then return not seen and not there end
  local has_same_levels = is_same(seen.level, there.level) and is_same(seen.own, there.own)
  return has_same_levels and seen.owner == there.owner and (seen.success == 'a') == (there.success == 'a')
end

if not is_known(existing and not existing.is_ending and existing or nil) then return {before or ''} end
if not redis.call('ZSCORE', prefix .. 'due', execution) then
  local last = tonumber(header_field(read_header(prefix, execution), 'revision')) or 0
  if last >= tonumber(revision) then return last end
  redis.call('SET', prefix .. 'snap:' .. execution, text)
  redis.call('ZADD', prefix .. 'due', now + first_poll, execution)
  if alarm ~= '' then set_alarm(prefix, execution, now + alarm) end
end
-- Messages are marked with the start of their subscription: one that goes on keeps it, or its own would look like
-- another's.
if existing then
  wanted.created = existing.created
  if not existing.is_ending then wanted.muted = existing.muted end
end
write_subscription(prefix, execution, subscriber, wanted)
if existing and existing.is_ending then
  local entries = prefix .. 'changes:' .. lane
  for _, entry in ipairs(redis.call('LRANGE', entries, 0, -1)) do
    local _, kind = parse_change(entry)
    if kind == 'ended' or kind == 'stopped' then redis.call('LREM', entries, 0, entry) end
  end
end
local is_other = existing and (existing.level ~= wanted.level or existing.success ~= wanted.success)
local is_changed = is_other and not existing.is_ending
if is_changed and notice ~= '' and has_card(prefix, execution, subscriber) then queue(prefix, lane, notice) end
request_edit(prefix, execution, subscriber)
wake(prefix, lane, now, now)
return before
