-- Write something that nobody reads, and that is gone at once.
-- KEYS 1 partition prefix
redis.call('SET', KEYS[1] .. 'probe', '', 'PX', 1)
return 1
