-- Record what Slack shows now, drop the changes that it tells, and renew the claim, which is out of doubt by that.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 token, 3 receipt, 4 told through this revision, 5 lease ms, or '' to give the lane back with it
-- Returns 1, or 0 when the claim is lost: then nothing more may be sent
local prefix, lane, token, delivered_through = KEYS[1], ARGV[1], ARGV[2], tonumber(ARGV[4])
local claim = redis.call('HGET', prefix .. 'claims', lane)
local holder, again = string.match(claim or '', '^(.-)|%d+|%d+|(%d)|%d+$')
if holder ~= token then return 0 end
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
local now = server_time()
local receipt = ARGV[3]
if again == '1' then receipt = asking_for_edit(receipt) end -- what was asked for meanwhile is not drawn yet
redis.call('HSET', prefix .. 'receipts:' .. execution, subscriber, receipt)
local entries = prefix .. 'changes:' .. lane
while true do
  local head = redis.call('LINDEX', entries, 0)
  if not head or tonumber(string.match(head, '^%d+')) > delivered_through then break end
  redis.call('LPOP', entries)
end
if ARGV[5] == '' then
  give_back(prefix, lane, again, now)
else
  local ends = now + tonumber(ARGV[5])
  redis.call('HSET', prefix .. 'claims', lane, token .. '|' .. now .. '|' .. ends .. '|' .. again .. '|0')
  redis.call('ZADD', prefix .. 'outbox', ends, lane)
end
return 1
