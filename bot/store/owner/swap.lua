-- Write the owner record if it is still what the caller has read.
-- KEYS: owner record
-- expected: the record as it was read, '' for none; wanted: the record to write
-- Returns the record as it is now: `wanted`, or what somebody else has written
local expected, wanted = unpack(ARGV)
local found = redis.call('GET', KEYS[1]) or ''
if found ~= expected then return found end
redis.call('SET', KEYS[1], wanted)
return wanted
