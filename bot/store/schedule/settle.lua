-- Settle a look: snapshot, next due time and outbox entries, all or nothing.
-- KEYS 1 partition prefix
-- ARGV 1 execution key, 2 token, 3 header without the list's print, 4 snapshot,
--      5 print that the list had shown when the look began, 6 ms until the next look or '' when over,
--      7 '1' when cards look different, 8 ms to wait for more before telling, 9 whether the next look
--      goes ahead of what is merely due: '1', '' or 'as before',
--      then per change: rank (0 progress, 1 phase, 2 the rest), entry
-- Returns 1, or 0 when the claim is lost: somebody else looked later, and this look must not overwrite theirs
local prefix, execution, token = KEYS[1], ARGV[1], ARGV[2]
if redis.call('HGET', prefix .. 'leases', execution) ~= token then return 0 end
redis.call('HDEL', prefix .. 'leases', execution)
local subs = redis.call('HGETALL', prefix .. 'subs:' .. execution)
local snap = prefix .. 'snap:' .. execution
if #subs == 0 then
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('ZREM', prefix .. 'expedited', execution)
  redis.call('DEL', snap)
  return 1
end
local now = server_time()
local over = ARGV[6] == ''
local listed = redis.call('GETRANGE', snap, 24, 31)
redis.call('SET', snap, string.sub(ARGV[3], 1, 24) .. listed .. string.sub(ARGV[3], 25) .. ARGV[4])
if over then
  redis.call('ZREM', prefix .. 'due', execution)
  redis.call('ZREM', prefix .. 'expedited', execution)
else
  local at = now + ARGV[6]
  redis.call('ZADD', prefix .. 'due', at, execution)
  if ARGV[9] == 'as before' then
    redis.call('ZADD', prefix .. 'expedited', 'XX', at, execution)
  else
    redis.call('ZREM', prefix .. 'expedited', execution)
    if ARGV[9] == '1' then expedite(prefix, execution, at) end
  end
  -- A list may have shown something newer while this look was under way.
  if listed ~= ARGV[5] and listed ~= string.sub(ARGV[3], 9, 16) then expedite(prefix, execution, now, listed) end
end
local ranks = {progress = 0, phase = 1, final = 2}
for i = 1, #subs, 2 do
  local level, rest = string.match(subs[i + 1], '^(%w+)|(.*)$')
  local ending = string.sub(rest, -2) == '|e'
  local lane = execution .. '/' .. subs[i]
  local at = nil
  if not ending then
    if ARGV[7] == '1' then at = now + tonumber(ARGV[8]) end
    for j = 10, #ARGV, 2 do
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
