-- Begin a look through the newest executions, unless a copy of the bot has begun one a moment ago.
-- KEYS: home of an account's rules
-- every: ms from one look to the next
-- Returns 1 to begin, else 0
local every = unpack(ARGV)
if not redis.call('SET', KEYS[1] .. 'look', 1, 'NX', 'PX', every) then return 0 end
redis.call('SET', KEYS[1] .. 'through', now_ms(), 'NX')
return 1
