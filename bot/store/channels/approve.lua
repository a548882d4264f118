-- Approve a shared channel, or withdraw that; either way owners of subscriptions are notified again once messages wait.
-- KEYS: channel
-- approver: a person, or '' to withdraw; keep_ms: how long the channel is remembered without an approval;
-- organisations: the ids of those that the approval is about, with spaces between them
-- Returns 1
local key, approver, keep_ms, organisations = KEYS[1], unpack(ARGV)
if approver == '' then
  redis.call('HDEL', key, 'approver', 'notified', 'approved')
  redis.call('PEXPIRE', key, keep_ms)
else
  redis.call('HSET', key, 'approver', approver, 'shared', '1', 'notified', '', 'approved', organisations)
  redis.call('PERSIST', key)
end
return 1
