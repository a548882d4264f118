-- Where polls are due.
-- KEYS: partition prefixes
-- first_after: ms after which what is overdue goes ahead of what is expedited
-- Returns for each partition {priority of the most urgent poll that is due (0 first), ms since it became due}, or
-- {-1, ms until the next poll is due}, or {-1, -1} when nothing is watched; and then how many executions are watched.
-- Priorities: 0 overdue, 1 gone from lists, 2 expedited otherwise, 3 alarms that ring, 4 merely due.
local first_after = tonumber((unpack(ARGV)))
local answer, now = {}, now_ms()

-- Ms since the first of a set was due, below 0 when it is not yet; nil for an empty set.
local function since_first(set)
  local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
  return first[2] and now - first[2]
end

for i, prefix in ipairs(KEYS) do
  local due = since_first(prefix .. 'due')
  local urgent, wait, size = nil, nil, due and redis.call('ZCARD', prefix .. 'due') or 0
  local sinces = {due and due > first_after and due, false, false, since_first(prefix .. 'alarms') or false, due}
  for j, set in ipairs(AHEAD) do sinces[j + 1] = since_first(prefix .. set) or false end
  for priority = 0, 4 do
    local since = sinces[priority + 1]
    if since and since >= 0 then
      urgent = urgent or {priority, since}
    elseif since then
      wait = math.min(wait or -since, -since)
    end
  end
  answer[i] = urgent or {-1, wait or -1}
  answer[i][3] = size
end
return answer
