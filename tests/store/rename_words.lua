-- A migration of an imagined next version: the word of a level changes. Called by the tests of migrations.
-- KEYS: partition prefix
-- Returns how many rows were changed
local prefix, execution = KEYS[1], unpack(ARGV)
local changed = 0
for _, subscriber in ipairs(redis.call('HKEYS', prefix .. 'subs:' .. execution)) do
  local subscription = read_subscription(prefix, execution, subscriber)
  if subscription and subscription.level == 'final' then
    subscription.level = 'verdict'
    write_subscription(prefix, execution, subscriber, subscription)
    changed = changed + 1
  end
end
return changed
