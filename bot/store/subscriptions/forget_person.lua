-- Delete what one execution keeps about a person: their own subscription, and their name in those of channels.
-- KEYS: partition prefix
-- Returns how many subscriptions of their own were deleted, and how many of channels have no owner any more
-- What channels follow goes on without an owner: nobody is notified in person when the channel cannot be reached.
local prefix, execution, person = KEYS[1], unpack(ARGV)
local subscriptions, deleted, disowned = prefix .. 'subs:' .. execution, 0, 0
if redis.call('HDEL', subscriptions, person) == 1 then
  local lane = execution .. '/' .. person
  redis.call('HDEL', prefix .. 'receipts:' .. execution, person)
  redis.call('HDEL', prefix .. 'claims', lane)
  unschedule(prefix, lane)
  redis.call('DEL', prefix .. 'changes:' .. lane)
  if redis.call('HLEN', subscriptions) == 0 then forget_execution(prefix, execution) end
  deleted = 1
end
forget_logged(prefix, execution, person)
local act = parse_act(redis.call('GET', prefix .. 'act:' .. execution) or '')
if act and act.by == person then redis.call('DEL', prefix .. 'act:' .. execution) end
local function without_name(entries)
  local name = '"by":"' .. person .. '"'
  for i, entry in ipairs(redis.call('LRANGE', entries, 0, -1)) do
    local from, to = string.find(entry, name, 1, true)
    if from then
      redis.call('LSET', entries, i - 1, string.sub(entry, 1, from - 1) .. '"by":""' .. string.sub(entry, to + 1))
    end
  end
end
for _, subscriber in ipairs(redis.call('HKEYS', subscriptions)) do
  local subscription = read_subscription(prefix, execution, subscriber)
  if subscription and (subscription.owner == person or subscription.by == person) then
    if subscription.owner == person then
      subscription.owner = ''
      disowned = disowned + 1
    end
    if subscription.by == person then subscription.by = '' end
    write_subscription(prefix, execution, subscriber, subscription)
  end
  without_name(prefix .. 'changes:' .. execution .. '/' .. subscriber)
end
return {deleted, disowned}
