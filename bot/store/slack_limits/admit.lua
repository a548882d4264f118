-- Let one call to Slack go out now, or say when its turn comes; until then it keeps its place.
-- KEYS 1 prefix of a workspace's limits
-- ARGV 1 lane, 2 priority (0 first), 3 method, 4 µs of slow start, 5 µs that a probe may take,
--      6 µs for which a place is kept beyond its turn, then per bucket: name, µs between two calls, µs of burst
-- Returns ms to wait (0: go), 1 when Slack was not answering
-- A bucket is a moment: when its next call would leave if all left evenly (GCRA). One whose turn has not come waits in
-- the bucket that makes it wait longest, by priority and then by arrival, and those behind it are told to come later.
local prefix, lane, priority, method, slow = KEYS[1], ARGV[1], tonumber(ARGV[2]), ARGV[3], tonumber(ARGV[4])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local held = redis.call('MGET', prefix .. 'pause:*', prefix .. 'pause:' .. method, prefix .. 'away', prefix .. 'probe')
local pause_until = math.max(tonumber(held[1] or '0'), tonumber(held[2] or '0'))
if held[3] and held[4] then pause_until = math.max(pause_until, now + 1000000) end
local ramp = math.max(0.25, math.min(1, 0.25 + 0.75 * (now - pause_until) / slow)) -- a quarter of the rate, and then more
local gaps, starts, place, arrived = {}, {}, nil, math.floor(now / 10)
local go, turn = true, 0

for i = 7, #ARGV, 3 do -- who does not come for a place in time has lost it
  local waiting, until_when = prefix .. 'wait:' .. ARGV[i], prefix .. 'back:' .. ARGV[i]
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', until_when, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', waiting, gone)
    redis.call('ZREM', until_when, gone)
  end
  local before = redis.call('ZSCORE', waiting, lane)
  if before then arrived = math.min(arrived, before % 1e15) end
end
local rank = string.format('%.0f', priority * 1e15 + arrived)

for i = 7, #ARGV, 3 do
  local name, gap, burst = ARGV[i], tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]) * (ramp - 0.25) / 0.75
  local ahead = redis.call('ZCOUNT', prefix .. 'wait:' .. name, '-inf', '(' .. rank)
  local next_one = math.max(tonumber(redis.call('GET', prefix .. 'next:' .. name) or '0'), now, pause_until)
  local first = math.max(next_one - burst, pause_until)
  gaps[name], starts[name] = gap / ramp, next_one
  if first + ahead * gaps[name] > now then
    go = false
    local comes = first + ahead * gap -- the rate grows: who comes too early is told again
    if comes <= now then comes = now + gap end
    if comes > turn then turn, place = comes, name end
  end
end

for name, next_one in pairs(starts) do
  if go or name ~= place then
    redis.call('ZREM', prefix .. 'wait:' .. name, lane)
    redis.call('ZREM', prefix .. 'back:' .. name, lane)
  end
  if go then
    local after = next_one + gaps[name]
    redis.call('SET', prefix .. 'next:' .. name, string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
  end
end
local is_away = held[3] and 1 or 0
if go then
  if held[1] and held[3] then -- one call finds out whether Slack answers again; the others ask again in a second
    redis.call('SET', prefix .. 'probe', lane, 'PX', math.ceil(ARGV[5] / 1000))
  end
  return {0, is_away}
end
local kept = turn + tonumber(ARGV[6])
redis.call('ZADD', prefix .. 'wait:' .. place, rank, lane)
redis.call('ZADD', prefix .. 'back:' .. place, string.format('%.0f', kept), lane)
for _, kind in ipairs({'wait:', 'back:'}) do
  local key = prefix .. kind .. place
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), math.ceil((kept - now) / 1000)))
end
return {math.ceil((turn - now) / 1000), is_away}
