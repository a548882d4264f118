-- Where lanes are due.
-- KEYS: partition prefixes
-- Returns for each partition {priority of the most urgent lane that is due (0 first), ms since it became due}, or
-- {-1, ms until the next lane is due}, or {-1, -1} when the outbox is empty; and then how many lanes are in it
local answer, now = {}, now_ms()
for i, prefix in ipairs(KEYS) do
  local urgent, wait, size = nil, nil, 0
  for _, priority in ipairs(PRIORITIES) do
    local set = prefix .. 'outbox:' .. priority
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')
    if first[2] then
      size = size + redis.call('ZCARD', set)
      local since = now - first[2]
      if since < 0 then
        wait = math.min(wait or -since, -since)
      elseif not urgent then
        urgent = {priority, since}
      end
    end
  end
  answer[i] = urgent or {-1, wait or -1}
  answer[i][3] = size
end
return answer
