-- Take the turn to read a workspace's lists, or keep it.
-- KEYS 1 window of the GCS user; ARGV 1 workspace, 2 name of the process, 3 ms for which its turn lasts,
--      4 while it reads: ms for which executions may be left to it, a bar, and calls in a window that it can use; else ''
-- Returns 1, or 0 when it is another one's turn
local reader = KEYS[1] .. ':reader:' .. ARGV[1]
local holder = redis.call('GET', reader)
if holder and holder ~= ARGV[2] then return 0 end
redis.call('SET', reader, ARGV[2], 'PX', ARGV[3])
if ARGV[4] ~= '' then redis.call('SET', KEYS[1] .. ':reading', ARGV[4], 'PX', ARGV[3]) end
return 1
