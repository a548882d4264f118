-- Take calls out of the quota that all workers share, or say how long to wait for one.
-- KEYS: window
-- limit: calls in a window of `span` ms; name: of these calls; wanted: how many (0 to ask only; fewer may be given);
-- purpose: 'people', 'polls' or 'lists'; slow_start: ms; reserve: calls that are kept for people
-- Returns calls left after these, ms to wait (0: there were some), calls taken, calls left in the window, and for how
-- many ms an execution that lists show may be left to them (0: none are read)
-- While polls ask for calls, people get half of the window at most: many commands do not stop the watch.
-- While lists are read, polls leave to them what they can use, a third of the calls at most.
-- After a refusal (refused.lua) no calls are given for as long as GCS said, and then, to the bot's own work, more and more.
local window, limit, span, name, wanted, purpose, slow_start, reserve = KEYS[1], unpack(ARGV)
local lists, people, watch = window .. ':lists', window .. ':people', window .. ':watch'
local now = now_ms()
if purpose == 'people' then reserve = 0 end
if purpose == 'polls' then redis.call('SET', watch, 1, 'PX', span) end
for _, calls in ipairs({window, lists, people}) do redis.call('ZREMRANGEBYSCORE', calls, '-inf', now - span) end

local pause_ends = tonumber(redis.call('GET', window .. ':pause') or '0')
if now < pause_ends then return {0, pause_ends - now, 0, 0, 0} end
local defer_for, useful = string.match(redis.call('GET', window .. ':reading') or '0|0', '^(%d+)|(%d+)$')
defer_for = tonumber(defer_for)
local share = purpose == 'polls' and math.min(useful, math.floor((limit - reserve) / 3)) or 0

-- How long until so many of `calls` have left the window, and one more.
local function wait_for(calls, over)
  local blocking = redis.call('ZRANGE', calls, math.max(0, over), math.max(0, over), 'WITHSCORES')
  return math.max(1, blocking[2] and blocking[2] + span - now + 1 or 1000)
end

local of_people = tonumber(limit)
if purpose == 'people' and redis.call('EXISTS', watch) == 1 then
  of_people = math.max(1, math.floor(limit / 2)) - redis.call('ZCARD', people)
end
local in_window = limit - redis.call('ZCARD', window) - reserve - math.max(0, share - redis.call('ZCARD', lists))
if in_window <= 0 or of_people <= 0 then
  local wait = in_window <= 0 and wait_for(window, -in_window) or 1
  if of_people <= 0 then wait = math.max(wait, wait_for(people, -of_people)) end
  return {0, wait, 0, 0, defer_for}
end

-- The bot's own calls since then. A poll does not mind those of lists while these have a share of their own.
local function made(since)
  local count = redis.call('ZCOUNT', window, since, '+inf') - redis.call('ZCOUNT', people, since, '+inf')
  return share > 0 and count - redis.call('ZCOUNT', lists, since, '+inf') or count
end

-- How many calls a slow start allows: a quarter of the rate, and then more and more, whatever was used before the
-- refusal and people use now.
local function left_in_slow_start()
  local since = now - pause_ends
  if since >= tonumber(slow_start) then return in_window end
  local allowed = limit / span * since * (0.25 + 0.375 * since / slow_start)
  return math.floor(allowed - math.min(allowed / 3, share * since / span)) + 1 - made('(' .. pause_ends)
end

-- A sixth of the time has a fifth of what people and lists leave: a burst would come again with each window, and leave
-- nothing between.
local function left_in_burst()
  local burst = math.floor((limit - reserve - share - redis.call('ZCARD', people)) / 5)
  return math.max(burst, 20) - made(now - span / 6)
end

local left = math.min(in_window, of_people)
if purpose ~= 'people' then left = math.min(left, left_in_slow_start()) end
if purpose == 'polls' then left = math.min(left, left_in_burst()) end
if left <= 0 then return {0, 1000, 0, in_window, defer_for} end

local taken = math.min(wanted, left)
local kinds = {people = people, lists = lists}
for _, calls in ipairs({window, kinds[purpose]}) do
  if taken > 0 then
    for i = 1, taken do redis.call('ZADD', calls, now, name .. i) end
    redis.call('PEXPIRE', calls, span)
  end
end
return {left - taken, 0, taken, in_window - taken, defer_for}
