-- Take an execution out of a subscriber's index, unless it was entered lately: then its subscription is on its way.
-- KEYS 1 index; ARGV 1 execution id, 2 ms that an entry stays
local entered = redis.call('ZSCORE', KEYS[1], ARGV[1])
if entered and tonumber(entered) < server_time() - tonumber(ARGV[2]) then
  redis.call('ZREM', KEYS[1], ARGV[1])
end
return 1
