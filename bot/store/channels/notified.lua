-- Note that a person knows that a channel waits for an approval.
-- KEYS: channel
-- owner: the person; keep_ms: for how long that is remembered
-- Returns 1
local key, owner, keep_ms = KEYS[1], unpack(ARGV)
local notified = redis.call('HGET', key, 'notified') or ''
redis.call('HSET', key, 'notified', notified == '' and owner or notified .. ' ' .. owner)
if redis.call('HEXISTS', key, 'approver') == 0 then redis.call('PEXPIRE', key, keep_ms) end
return 1
