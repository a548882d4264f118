-- Give a lane back.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 token, 3 ms until it is claimed again, or '' when all is told, 4 '1' when the last send is in doubt
-- Returns 1, or 0 when the claim is lost
local prefix, lane, token = KEYS[1], ARGV[1], ARGV[2]
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, claimed, again, doubt = string.match(claim or '', '^(.-)|(%d+)|%d+|(%d)|(%d+)$')
if holder ~= token then return 0 end
local now = server_time()
if ARGV[4] == '1' then
  redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. claimed .. '|0|0|' .. doubt)
elseif ARGV[3] ~= '' then -- nobody may wake it before its time
  redis.call('HSET', prefix .. 'claims', lane, '-|0|0|0|0')
else
  redis.call('HDEL', prefix .. 'claims', lane)
end
if ARGV[3] ~= '' then
  redis.call('ZADD', prefix .. 'outbox', now + tonumber(ARGV[3]), lane)
elseif again == '1' or redis.call('LLEN', prefix .. 'changes:' .. lane) > 0 then
  redis.call('ZADD', prefix .. 'outbox', now, lane)
else
  redis.call('ZREM', prefix .. 'outbox', lane)
end
return 1
