-- The places that the rules of subscribers have taken.
-- KEYS: home of an account's rules
-- last: of the places of each rule, which are counted from 0; -1 for all; then the ids of the subscribers
-- Returns a list for each subscriber: execution id, when a rule took the place in ms, …
local last = unpack(ARGV, 1, 1)
local FIRST_SUBSCRIBER = 2
local found, by_subscriber = {}, {}
for i = FIRST_SUBSCRIBER, #ARGV do
  local places = {}
  found[#found + 1], by_subscriber[ARGV[i]] = places, places
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1] .. 'rows')) do
  local places = by_subscriber[string.match(field, '^[^/]*')]
  if places then
    for _, each in ipairs(redis.call('ZRANGE', KEYS[1] .. 'of:' .. field, 0, last, 'WITHSCORES')) do
      places[#places + 1] = each
    end
  end
end
return found
