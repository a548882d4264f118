-- Let one call to Slack go out now, or say when it may; until then the lane keeps its place.
-- KEYS: prefix of a workspace's limits
-- priority: 0 first, a half between two; slow_start: µs; probe: µs that a probe may take; place_kept: µs for which a
-- place is kept after the time that was said; then per bucket: name, µs between two calls, µs of burst
-- Returns ms to wait (0: go), 1 when Slack was not answering
-- While Slack does not answer, nobody gets a place: when it does, all ask again, in the order in which they are claimed.
-- A bucket is a moment: when its next call would leave if all left evenly (GCRA). A lane that must wait does so in the
-- bucket that makes it wait longest, by priority and then by arrival, and those behind it wait longer.
local prefix, lane, priority, method, slow_start, probe, place_kept = KEYS[1], unpack(ARGV, 1, 6)
local FIRST_BUCKET = 7
local now = now_us()
local is_away, away = redis.call('EXISTS', prefix .. 'away'), away_for(prefix, now)
if away and away > 0 then return {math.ceil(away / 1000), is_away} end
local paused = math.max(pause_ends(prefix, '*'), pause_ends(prefix, method))
local ramp = math.max(0.25, math.min(1, 0.25 + 0.75 * (now - paused) / slow_start)) -- a quarter of the rate, then more

-- The order of those who wait is one number, since a set has one score: priority, and within it the arrival in 10 µs.
local function rank_of(arrived)
  return string.format('%.0f', priority * 1e15 + arrived)
end

local function arrived_of(rank)
  return rank % 5e14
end

-- Drop places that nobody came back for in time; returns when this lane took its place in the bucket, if it has one.
local function place_in(bucket)
  local waiting, back = prefix .. 'wait:' .. bucket, prefix .. 'back:' .. bucket
  for _, lost in ipairs(redis.call('ZRANGEBYSCORE', back, '-inf', now, 'LIMIT', 0, 100)) do
    redis.call('ZREM', waiting, lost)
    redis.call('ZREM', back, lost)
  end
  local rank = redis.call('ZSCORE', waiting, lane)
  return rank and arrived_of(rank)
end

local function leave_place(bucket)
  redis.call('ZREM', prefix .. 'wait:' .. bucket, lane)
  redis.call('ZREM', prefix .. 'back:' .. bucket, lane)
end

local arrived = math.floor(now / 10)
for i = FIRST_BUCKET, #ARGV, 3 do arrived = math.min(arrived, place_in(ARGV[i]) or arrived) end
local rank = rank_of(arrived)

local gaps, starts, place, goes_at = {}, {}, nil, 0
for i = FIRST_BUCKET, #ARGV, 3 do
  local bucket, gap, burst = unpack(ARGV, i, i + 2)
  burst = burst * (ramp - 0.25) / 0.75
  local ahead = redis.call('ZCOUNT', prefix .. 'wait:' .. bucket, '-inf', '(' .. rank)
  local next_one = math.max(tonumber(redis.call('GET', prefix .. 'next:' .. bucket) or '0'), now, paused)
  local first = math.max(next_one - burst, paused)
  gaps[bucket], starts[bucket] = gap / ramp, next_one
  if first + ahead * gaps[bucket] > now then
    local comes = first + ahead * gap -- the rate grows: a lane that comes too early waits again
    if comes <= now then comes = now + gap end
    if comes > goes_at then goes_at, place = comes, bucket end
  end
end

if not place then
  for bucket, next_one in pairs(starts) do
    leave_place(bucket)
    local after = next_one + gaps[bucket]
    redis.call('SET', prefix .. 'next:' .. bucket, string.format('%.0f', after), 'PX', math.ceil((after - now) / 1000))
  end
  if away then -- this call finds out whether Slack answers again
    redis.call('SET', prefix .. 'probe', lane, 'PX', math.ceil(probe / 1000))
  end
  return {0, is_away}
end

for bucket in pairs(starts) do
  if bucket ~= place then leave_place(bucket) end
end
local kept = goes_at + place_kept
redis.call('ZADD', prefix .. 'wait:' .. place, rank, lane)
redis.call('ZADD', prefix .. 'back:' .. place, string.format('%.0f', kept), lane)
for _, kind in ipairs({'wait:', 'back:'}) do
  local key = prefix .. kind .. place
  redis.call('PEXPIRE', key, math.max(redis.call('PTTL', key), math.ceil((kept - now) / 1000)))
end
return {math.ceil((goes_at - now) / 1000), is_away}
