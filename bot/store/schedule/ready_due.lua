-- How urgent the most urgent look is.
-- KEYS 1 partition prefix; ARGV 1 ms after which what is overdue goes ahead of news now
-- Returns ms since it was due: a day more for news, two for what dropped out of a list, and a week for what has waited
-- too long; below 0 when nothing is due
local prefix = KEYS[1]
local now = server_time()
local function late(zset)
  local first = redis.call('ZRANGE', prefix .. zset, 0, 0, 'WITHSCORES')
  return first[2] and now - first[2] or -1
end
local overdue, expedited = late('due'), late('expedited')
if overdue > tonumber(ARGV[1]) then return 7 * DAY + overdue end
return expedited >= 0 and DAY + expedited or overdue
