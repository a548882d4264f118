-- Give a lane back.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 token, 3 ms until it is claimed again, or '' when all is told, 4 '1' when the last send is in doubt
-- Returns 1, or 0 when the claim is lost
-- One in doubt comes at that time and not before; another one sooner, if something happens to it. Without a wait it
-- comes where it had been: an outcome before everything else.
local prefix, lane, token = KEYS[1], ARGV[1], ARGV[2]
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, claimed, again, doubt = string.match(claim or '', '^(.-)|(%d+)|%d+|(%d)|(%d+)$')
if holder ~= token then return 0 end
local now, wait = server_time(), tonumber(ARGV[3])
local at = wait and (wait > 0 and now + wait or score(prefix, lane, now))
if ARGV[4] == '1' then
  redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. claimed .. '|0|0|' .. doubt)
  redis.call('ZADD', prefix .. 'outbox', at, lane)
elseif at and again == '0' then
  redis.call('HDEL', prefix .. 'claims', lane)
  redis.call('ZADD', prefix .. 'outbox', at, lane)
else
  give_back(prefix, lane, again, now)
end
return 1
