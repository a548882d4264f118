-- Settle a look: snapshot, next due time and outbox entries, all or nothing.
-- KEYS 1 partition prefix
-- ARGV 1 execution key, 2 token, 3 snapshot, 4 ms until the next look or '' when over, 5 '1' when cards look different,
--      6 ms to wait for more before telling, then per change: rank (0 progress, 1 phase, 2 the rest), entry
-- Returns 1, or 0 when the claim is lost: somebody else looked later, and this look must not overwrite theirs
local prefix, execution, token = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', prefix .. 'leases', execution) ~= token then return 0 end
redis.call('HDEL', prefix .. 'leases', execution)
local subs = redis.call('HGETALL', prefix .. 'subs:' .. execution)
if #subs == 0 then
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('DEL', prefix .. 'snap:' .. execution)
  return 1
end
local now = server_time()
local over = ARGV[4] == ''
redis.call('SET', prefix .. 'snap:' .. execution, ARGV[3])
if over then
  redis.call('ZREM', prefix .. 'due', execution)
else
  redis.call('ZADD', prefix .. 'due', now + tonumber(ARGV[4]), execution)
end
local ranks = {progress = 0, phase = 1, final = 2}
for i = 1, #subs, 2 do
  local level, rest = string.match(subs[i + 1], '^(%w+)|(.*)$')
  local ending = string.sub(rest, -2) == '|e'
  local lane = execution .. '/' .. subs[i]
  local at = nil
  if not ending then
    if ARGV[5] == '1' then at = now + tonumber(ARGV[6]) end
    for j = 7, #ARGV, 2 do
      local rank = tonumber(ARGV[j])
      if rank >= ranks[level] then
        queue(prefix, lane, ARGV[j + 1])
        if rank == 2 then at = now end
      end
    end
    if over then
      redis.call('HSET', prefix .. 'subs:' .. execution, subs[i], subs[i + 1] .. '|e')
      at = now
    end
  end
  if at then wake(prefix, lane, at, now) end
end
return 1
