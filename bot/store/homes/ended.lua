-- Keep how an execution ended that a person or channel followed; drop what ended too long ago, and the earliest of too many.
-- KEYS: ends of the person or channel
-- ended_at: ms; most: how many ends are kept; kept_ms: for how long
local execution_id, ended_at, row, most, kept_ms = unpack(ARGV)
redis.call('HSET', KEYS[1], execution_id, ended_at .. '|' .. row)
redis.call('PEXPIRE', KEYS[1], kept_ms)
local oldest, ends = now_ms() - tonumber(kept_ms), {}
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  ends[#ends + 1] = {tonumber(string.match(rows[i + 1], '%d+')) or 0, rows[i]}
end
table.sort(ends, function(a, b) return a[1] > b[1] end)
for i, each in ipairs(ends) do
  if i > tonumber(most) or each[1] < oldest then redis.call('HDEL', KEYS[1], each[2]) end
end
return 1
