-- Give a lane back.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 token, 3 ms until it is claimed again, or '' when all is told, 4 '1' when the last send is in doubt
-- Returns 1, or 0 when the claim is lost
-- One in doubt comes at that time and not before; another one sooner, if something happens to it.
local prefix, lane, token = KEYS[1], ARGV[1], ARGV[2]
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, claimed, again, doubt = string.match(claim or '', '^(.-)|(%d+)|%d+|(%d)|(%d+)$')
if holder ~= token then return 0 end
local now = server_time()
if ARGV[4] == '1' then
  redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. claimed .. '|0|0|' .. doubt)
  redis.call('ZADD', prefix .. 'outbox', now + tonumber(ARGV[3]), lane)
elseif ARGV[3] ~= '' and again == '0' then
  redis.call('HDEL', prefix .. 'claims', lane)
  redis.call('ZADD', prefix .. 'outbox', now + tonumber(ARGV[3]), lane)
else
  give_back(prefix, lane, again, now)
end
return 1
