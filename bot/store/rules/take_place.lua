-- Count an execution among those that a rule follows, if there are not too many.
-- KEYS: home of an account's rules
-- field: `<subscriber id>/<rule id>`; most: so many may be followed at once, '' for any number
-- Returns 1, or 0 when there are so many already, or the rule has ended
local field, execution_id, most = unpack(ARGV)
local places = KEYS[1] .. 'of:' .. field
local rule = redis.call('HGET', KEYS[1] .. 'rows', field)
if not rule or string.find(rule, '"ended_by":', 1, true) then return 0 end -- a field that is left out until then
local is_new = not redis.call('ZSCORE', places, execution_id)
if is_new and most ~= '' and redis.call('ZCARD', places) >= tonumber(most) then return 0 end
redis.call('ZADD', places, now_ms(), execution_id)
return 1
