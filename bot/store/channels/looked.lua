-- Note whether a channel is shared with another organisation. An approval lasts for as long as that stays so.
-- KEYS: channel
-- shared: '1' or '0'; keep_ms: how long that is remembered without an approval
-- Returns 1
local key, shared, keep_ms = KEYS[1], unpack(ARGV)
if shared ~= '1' then redis.call('DEL', key) end
redis.call('HSET', key, 'shared', shared, 'looked', now_ms())
if redis.call('HEXISTS', key, 'approver') == 0 then redis.call('PEXPIRE', key, keep_ms) end
return 1
