-- Take or keep the lease on reading a workspace's lists.
-- KEYS: window of the GCS user
-- process: name of the caller; lease: ms; defer_for: ms for which polls may be left to lists, or '' while none are
-- read; useful: calls of a window that the lists can use
-- Returns 1, or 0 when another process holds the lease
local window, team, process, lease, defer_for, useful = KEYS[1], unpack(ARGV)
local reader = window .. ':reader:' .. team
local holder = redis.call('GET', reader)
if holder and holder ~= process then return 0 end
redis.call('SET', reader, process, 'PX', lease)
if defer_for ~= '' then redis.call('SET', window .. ':reading', defer_for .. '|' .. useful, 'PX', lease) end
return 1
