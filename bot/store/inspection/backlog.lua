-- What is in the store: counts, and since when the oldest change of each priority has been waiting.
-- KEYS: partition prefixes
-- most: at most so many lanes of each priority are read, those that are due first
-- Returns per partition {now in ms, executions, subscriptions, dead letters, oldest of priority 0, of 1, of 2}: an oldest is
-- the time of a change as in its JSON, or '' where none waits. With priorities 0 and 1, only outcomes count. What waits for
-- the end of a quiet time does not count.
local most = unpack(ARGV)

local function time_of(json)
  return string.match(json, '"at":"([^"]+)"') or ''
end

-- The time of the first outcome in a lane, or of its first change.
local function waiting_since(prefix, lane, only_outcomes)
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, only_outcomes and -1 or 0)) do
    local _, kind, json = parse_change(entry)
    if not only_outcomes or kind == 'outcome' or kind == 'vanished' then return time_of(json) end
  end
  return ''
end

local function oldest(prefix, priority)
  local found = ''
  for _, lane in ipairs(redis.call('ZRANGE', prefix .. 'outbox:' .. priority, 0, most - 1)) do
    local is_quiet = quiet_until(prefix, lane, read_subscription(prefix, split_lane(lane)), now_ms())
    local since = is_quiet and '' or waiting_since(prefix, lane, priority < 2)
    if since ~= '' and (found == '' or since < found) then found = since end
  end
  return found
end

local function subscriptions(prefix)
  local executions, count = redis.call('ZRANGE', prefix .. 'due', 0, -1), 0
  for _, execution in ipairs(executions) do count = count + redis.call('HLEN', prefix .. 'subs:' .. execution) end
  return #executions, count
end

local answer = {}
for i, prefix in ipairs(KEYS) do
  local executions, count = subscriptions(prefix)
  local row = {now_ms(), executions, count, redis.call('LLEN', prefix .. 'dead')}
  for _, priority in ipairs(PRIORITIES) do row[#row + 1] = oldest(prefix, priority) end
  answer[i] = row
end
return answer
