-- Restore a subscription from its dead letter, with what was not delivered.
-- KEYS: partition prefix
-- letter: its row; revision: of the stored snapshot that `text` was made from, '' for none; text: header and snapshot;
-- subscription, receipt ('' for none): rows; doubt: when a send began whose outcome is unknown, ms, 0 for none; then the
-- entries of its changes
-- Returns 1; 0 when the letter is gone; -1 when the execution is being polled, or was since; -2 when its subscriber
-- follows it again. Only with 1 something is written.
local prefix, letter, lane, revision, text, subscription, receipt, doubt = KEYS[1], unpack(ARGV, 1, 7)
local FIRST_ENTRY = 8
local execution, subscriber = split_lane(lane)
if redis.call('HEXISTS', prefix .. 'subs:' .. execution, subscriber) == 1 then return -2 end
local header = read_header(prefix, execution)
local stored = header == '' and '' or header_field(header, 'revision')
if stored ~= revision or redis.call('HEXISTS', prefix .. 'leases', execution) == 1 then return -1 end
if redis.call('LREM', prefix .. 'dead', 1, letter) == 0 then return 0 end
local now = now_ms()
redis.call('SET', prefix .. 'snap:' .. execution, text)
redis.call('HSET', prefix .. 'subs:' .. execution, subscriber, subscription)
if receipt ~= '' then redis.call('HSET', prefix .. 'receipts:' .. execution, subscriber, receipt) end
for i = FIRST_ENTRY, #ARGV do redis.call('RPUSH', prefix .. 'changes:' .. lane, ARGV[i]) end
local restored = parse_subscription(subscription)
if restored and not restored.is_ending then
  local level = restored.level -- it goes on as it was
  note(prefix, execution, string.format('l%s|%s|%s|%d', subscriber, level, level, now / 1000))
end
if not (restored and restored.is_ending) then redis.call('ZADD', prefix .. 'due', 'LT', now, execution) end
if doubt ~= '0' then
  write_claim(prefix, lane, {token = '-', claimed = tonumber(doubt), ends = 0, doubt = tonumber(doubt)})
end
schedule(prefix, lane, now)
return 1
