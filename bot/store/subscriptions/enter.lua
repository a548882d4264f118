-- Enter an execution into the index of a subscriber.
-- KEYS 1 index; ARGV 1 execution id, 2 subscribed at, ms
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
return 1
