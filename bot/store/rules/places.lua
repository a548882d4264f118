-- The places that rules have taken.
-- KEYS: home of an account's rules
-- last: of the places of each rule, which are counted from 0; -1 for all; then each whose places are wanted: the id of a
-- subscriber for all of their rules, or `<subscriber id>/<rule id>` for one rule
-- Returns the store's time in ms; then a list for each of them: execution id, when a rule took the place in ms, …
local last = unpack(ARGV, 1, 1)
local FIRST_WANTED = 2
local answer, wanted = {now_ms()}, {}
for i = FIRST_WANTED, #ARGV do
  local places = {}
  answer[#answer + 1], wanted[ARGV[i]] = places, places
end
for _, field in ipairs(redis.call('HKEYS', KEYS[1] .. 'rows')) do
  local places = wanted[field] or wanted[string.match(field, '^[^/]*')]
  if places then
    for _, each in ipairs(redis.call('ZRANGE', KEYS[1] .. 'of:' .. field, 0, last, 'WITHSCORES')) do
      places[#places + 1] = each
    end
  end
end
return answer
