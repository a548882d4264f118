-- Where lanes are due.
-- KEYS: partition prefixes
-- recent: only lanes count that became due within so many ms; absent: all
-- Returns for each partition {priority of the most urgent lane that is due (0 first), ms since it became due}, or
-- {-1, ms until the next lane is due}, or {-1, -1} when the outbox is empty; and then how many lanes are in it
local recent = unpack(ARGV)
local answer, now = {}, now_ms()
local first_at = recent and '(' .. now - recent or '-inf'
for i, prefix in ipairs(KEYS) do
  local urgent, wait, size = nil, nil, 0
  for _, priority in ipairs(PRIORITIES) do
    local set = prefix .. 'outbox:' .. priority
    local first = redis.call('ZRANGEBYSCORE', set, first_at, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    size = size + redis.call('ZCARD', set)
    if first[2] then
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
