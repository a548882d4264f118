-- In front of every script on a partition: how a subscription and a receipt are read and written.

-- Execution key and subscriber id of a lane.
local function split_lane(lane)
  return string.match(lane, '^(.*)/([^/]+)$')
end

-- The lowest rank of a change that each level includes: the lower, the louder.
local LOWEST = {steps = 0, milestones = 1, final = 2, failures = 3, progress = 0, phase = 1} -- and former words

-- The rank of a level; one that only another version of the bot can read may include everything.
local function lowest(level)
  return LOWEST[level] or 0
end

-- A row is `level|owner|created ms|e?|request id?|ended by?|by a rule?|muted?|hours?|a?`, `e` once it is ending, `a` if it
-- announces a success; empty fields at the end are left out. `by a rule` is set where a rule has a part in it: the level
-- that somebody chose, or `-` for none. Fields of a newer version are ignored; nil for a row that cannot be read.
local function parse_subscription(row)
  local level, owner, created, ending, request, by, own, muted, hours, success =
    string.match(row, '^([^|]*)|([^|]*)|(%d+)|?([^|]*)|?([^|]*)|?([^|]*)|?([^|]*)|?([^|]*)|?([^|]*)|?([^|]*)')
  if not level then return nil end
  return {
    level = level, owner = owner, created = created, is_ending = ending == 'e', request = request, by = by, own = own,
    muted = muted, hours = hours, success = success,
  }
end

-- How long it is remembered, after the last one, that rules do not follow executions again.
local PASSED_MS = 30 * 24 * 3600 * 1000

-- Have rules not find an execution again that a subscriber does not follow any more. They look at what was created
-- lately, and this one was created before now: it is remembered for long enough.
local function pass(prefix, lane, now)
  redis.call('ZADD', prefix .. 'passed', 'NX', now, lane)
  redis.call('PEXPIRE', prefix .. 'passed', PASSED_MS)
end

-- Whether a subscription that only a rule has made has no card until there is something to say.
local function is_silent(subscription)
  return subscription.own == '-' and lowest(subscription.level) >= LOWEST.final
end

-- The subscription; nil when there is none, or it is unreadable.
local function read_subscription(prefix, execution, subscriber)
  local row = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)
  return row and parse_subscription(row)
end

local function write_subscription(prefix, execution, subscriber, subscription)
  note_following(prefix, execution, subscriber, read_subscription(prefix, execution, subscriber), subscription)
  local ending = subscription.is_ending and 'e' or ''
  local first = table.concat({subscription.level, subscription.owner, subscription.created, ending}, '|')
  local last = table.concat(
    {
      subscription.request, subscription.by, subscription.own, subscription.muted, subscription.hours,
      subscription.success,
    },
    '|'
  )
  local row = string.gsub(first .. '|' .. last, '|+$', '')
  redis.call('HSET', prefix .. 'subs:' .. execution, subscriber, row)
end

-- Until when a subscriber wants quiet, and until when they do not even want failures: ms, math.huge until the execution
-- ends, 0 when not now. `muted` is `ms` or `end`, `hours` is `begin ms-end ms`; a `!` behind it: failures wait too.
local function quiet_times(subscription, now)
  local all, failures = 0, 0
  local function add(ends, mark)
    if ends <= now then return end
    all = math.max(all, ends)
    if mark == '!' then failures = math.max(failures, ends) end
  end
  local till, mark = string.match(subscription.muted, '^(%w+)(!?)$')
  if till then add(till == 'end' and math.huge or tonumber(till) or 0, mark) end
  local begins, ends, mark_of_hours = string.match(subscription.hours, '^(%d+)%-(%d+)(!?)$')
  if begins and tonumber(begins) <= now then add(tonumber(ends), mark_of_hours) end
  return all, failures
end

-- A row is `channel|ts|revision|delivered_through`; nil for one that cannot be read.
local function parse_receipt(row)
  local channel, ts, revision, delivered_through = string.match(row, '^([^|]*)|([^|]*)|(%d+)|(%d+)')
  if not channel then return nil end
  return {channel = channel, ts = ts, revision = tonumber(revision), delivered_through = tonumber(delivered_through)}
end

local function write_receipt(prefix, execution, subscriber, receipt)
  local row = string.format('%s|%s|%d|%d', receipt.channel, receipt.ts, receipt.revision, receipt.delivered_through)
  redis.call('HSET', prefix .. 'receipts:' .. execution, subscriber, row)
end

-- Whether a subscription's card was posted.
local function has_card(prefix, execution, subscriber)
  return redis.call('HEXISTS', prefix .. 'receipts:' .. execution, subscriber) == 1
end

-- Have a card edited with the next delivery, whatever revision it shows now.
local function request_edit(prefix, execution, subscriber)
  local row = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber)
  local receipt = row and parse_receipt(row)
  if not receipt then return end
  receipt.revision = 0
  write_receipt(prefix, execution, subscriber, receipt)
end
