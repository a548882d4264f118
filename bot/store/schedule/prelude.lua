-- In front of every script on a partition: how a snapshot's header is read and written, and when executions are polled.

-- What a list's fingerprint is when the list does not have the execution any more.
local GONE = 'gone----'

-- First and last character of each field in a header. `bot.store.snapshots` writes the same.
local HEADER = {
  revision = {1, 8}, state = {9, 16}, counts = {17, 24}, listed = {25, 32}, seen = {33, 45}, expected_at = {46, 55},
  kind = {56, 56},
}

-- The first 56 characters of a stored text; empty when the execution is unknown.
local function read_header(prefix, execution)
  return redis.call('GETRANGE', prefix .. 'snap:' .. execution, 0, 55)
end

local function header_field(header, name)
  return string.sub(header, HEADER[name][1], HEADER[name][2])
end

local function with_header_field(header, name, value)
  return string.sub(header, 1, HEADER[name][1] - 1) .. value .. string.sub(header, HEADER[name][2] + 1)
end

local function write_header_field(prefix, execution, name, value)
  redis.call('SETRANGE', prefix .. 'snap:' .. execution, HEADER[name][1] - 1, value)
end

-- Executions that are polled ahead of those that are merely due, the most urgent set first. An execution is in one of
-- them at most, and always in `due` too.
local AHEAD = {'gone', 'expedited'}

-- When an expedited execution is polled, and its set; nil for one that is not expedited.
local function expedited(prefix, execution)
  for _, set in ipairs(AHEAD) do
    local at = redis.call('ZSCORE', prefix .. set, execution)
    if at then return tonumber(at), set end
  end
end

-- Poll a watched execution by `at`, ahead of all that is merely due: a list shows something new, or somebody waits.
-- What dropped out of a list has probably ended, and goes ahead of the others.
local function expedite(prefix, execution, at, listed)
  if not redis.call('ZSCORE', prefix .. 'due', execution) then return end
  local before, set_before = expedited(prefix, execution)
  local set = (listed == GONE or set_before == 'gone') and 'gone' or 'expedited'
  if before and set_before ~= set then
    redis.call('ZREM', prefix .. set_before, execution)
    at = math.min(at, before)
  end
  redis.call('ZADD', prefix .. set, 'LT', at, execution)
end

local function stop_expediting(prefix, execution)
  for _, set in ipairs(AHEAD) do redis.call('ZREM', prefix .. set, execution) end
end

-- Have an execution polled at `at` in any case, whatever lists show of it; without `at` it has no alarm.
local function set_alarm(prefix, execution, at)
  if at then
    redis.call('ZADD', prefix .. 'alarms', at, execution)
  else
    redis.call('ZREM', prefix .. 'alarms', execution)
  end
end

-- Have the alarm of an execution ring at `at` at the earliest.
local function postpone_alarm(prefix, execution, at)
  redis.call('ZADD', prefix .. 'alarms', 'XX', 'GT', at, execution)
end

-- Move an execution to `at` in every set that it is in; an alarm that rings later stays where it is.
local function reschedule(prefix, execution, at)
  redis.call('ZADD', prefix .. 'due', 'XX', at, execution)
  for _, set in ipairs(AHEAD) do redis.call('ZADD', prefix .. set, 'XX', at, execution) end
  postpone_alarm(prefix, execution, at)
end

local function stop_polling(prefix, execution)
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('ZREM', prefix .. 'alarms', execution)
  stop_expediting(prefix, execution)
end

-- Forget an execution that nobody follows.
local function forget_execution(prefix, execution)
  stop_polling(prefix, execution)
  redis.call('HDEL', prefix .. 'leases', execution)
  redis.call('DEL', prefix .. 'snap:' .. execution)
end
