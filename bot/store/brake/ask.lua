-- Whether something may end for a reason: at most `limit` within a window, for all reasons of one vendor together; then
-- the brake goes on for this reason, and nothing ends but what is for a destination that was refused all the time since,
-- while no more than `limit` of them are.
-- KEYS: prefix of a brake
-- item: what would end; window: ms; dead: ms for which a destination must be refused; lost: 0, or where GCS shows
-- nothing of what is followed, how many must wait until the brake goes on
-- Returns {1 when it may end, 1 when the brake went on with this or -1 when it let go}
local prefix, reason, item, limit, window, dead, lost = KEYS[1], unpack(ARGV)
limit, lost = tonumber(limit), tonumber(lost)
local ended, waiting = ended_key(prefix, reason), prefix .. 'waiting:' .. reason
local refused, destination = refused_key(prefix, reason), destination_of(reason, item)
local now = now_ms()
forget_old(prefix, reason, now, window)
if redis.call('SISMEMBER', prefix .. 'released:' .. reason, item) == 1 then return {1, 0} end
local brake, went = read_brake(prefix, reason), 0

local function note_destination()
  if not destination then return end
  redis.call('ZADD', refused, 'NX', now, destination)
  redis.call('PEXPIRE', refused, FORGOTTEN_AFTER)
end

local function wait()
  note_destination()
  redis.call('ZADD', waiting, now, item)
  redis.call('PEXPIRE', waiting, FORGOTTEN_AFTER)
  redis.call('PEXPIRE', prefix .. 'on', FORGOTTEN_AFTER)
end

local beside = braked_beside(prefix, reason)

-- How much has ended lately, or is kept from ending, for any reason of the vendor.
local function counted()
  local count = redis.call('ZCARD', ended)
  for _, other in ipairs(beside) do
    count = count + redis.call('ZCOUNT', prefix .. 'waiting:' .. other, now - FORGOTTEN_AFTER, '+inf')
  end
  return count
end

local function engage(kind)
  write_brake(prefix, reason, {since = now, limit = limit, kind = kind})
  -- A destination that was refused before may have worked since: nobody notes that while no brake is on.
  if #beside == 0 then
    for _, each in ipairs(redis.call('ZRANGE', refused, 0, -1)) do redis.call('ZADD', refused, now, each) end
  end
  redis.call('PEXPIRE', prefix .. 'on', FORGOTTEN_AFTER)
  return {0, 1}
end

if lost > 0 then
  wait()
  if not brake and redis.call('ZCARD', waiting) >= lost then return engage('place') end
  return {0, 0}
end
if brake and brake.kind == 'place' then -- GCS shows something of ours again
  redis.call('HDEL', prefix .. 'on', reason)
  brake, went = nil, -1
elseif brake and brake.kind == 'fading' then
  local has_let_go
  brake, has_let_go = let_go(prefix, reason, brake)
  went = has_let_go and -1 or 0
end
if brake then
  local since = destination and redis.call('ZSCORE', refused, destination)
  if not since or now - since < tonumber(dead) or redis.call('ZCARD', refused) > limit then
    wait()
    return {0, 0}
  end
  redis.call('ZREM', waiting, item)
  if redis.call('ZCARD', waiting) > 0 then return {1, 0} end
  redis.call('HDEL', prefix .. 'on', reason)
  return {1, -1}
end
if not redis.call('ZSCORE', ended, item) and counted() >= limit then
  wait()
  return engage('count')
end
note_destination()
redis.call('ZADD', ended, now, item)
redis.call('PEXPIRE', ended, window)
redis.call('ZREM', waiting, item)
return {1, went}
