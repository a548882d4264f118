-- Subscribe, or change the level of a subscription that exists; watch the execution and have the card posted.
-- KEYS 1 partition prefix
-- ARGV 1 lane, 2 subscription, 3 header and snapshot for an execution that is not watched, 4 ms until its first look, 5 its revision
-- Returns the subscription that stood before, or nil. One that was ending goes on, without its farewell.
-- Returns a number, and nothing is written, when the snapshot is behind that revision: changes would pass for told.
local prefix, lane = KEYS[1], ARGV[1]
local execution, subscriber = string.match(lane, '^(.*)/([^/]+)$')
local now = server_time()
local before = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)
if not redis.call('ZSCORE', prefix .. 'due', execution) then
  local last = redis.call('GET', prefix .. 'snap:' .. execution)
  local revision = last and tonumber(string.sub(last, 1, 8)) or 0
  if revision >= tonumber(ARGV[5]) then return revision end
  redis.call('SET', prefix .. 'snap:' .. execution, ARGV[3])
  redis.call('ZADD', prefix .. 'due', now + tonumber(ARGV[4]), execution)
end
-- Its messages are marked with its start: one that goes on keeps it, or they would be read back for another's.
local start = before and string.match(before, '^[^|]*|[^|]*|(%d+)')
local subscription = start and string.gsub(ARGV[2], '%d+$', start) or ARGV[2]
redis.call('HSET', prefix .. 'subs:' .. execution, subscriber, subscription)
if before and string.sub(before, -2) == '|e' then
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, -1)) do
    if string.find(entry, '^%d+|{"kind":"ended"') then redis.call('LREM', prefix .. 'changes:' .. lane, 0, entry) end
  end
end
local receipt = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber)
if receipt then
  redis.call('HSET', prefix .. 'receipts:' .. execution, subscriber, asking_for_edit(receipt))
end
wake(prefix, lane, now, now)
return before
