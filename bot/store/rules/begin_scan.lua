-- Begin a scan of the newest executions, unless a copy of the bot has begun one a moment ago.
-- KEYS: home of an account's rules
-- every: ms from one scan to the next
-- Returns 1 to begin, else 0
local every = unpack(ARGV)
if not redis.call('SET', KEYS[1] .. 'scan', 1, 'NX', 'PX', every) then return 0 end
redis.call('SET', KEYS[1] .. 'through', now_ms(), 'NX')
return 1
