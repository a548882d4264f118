-- Record what Slack shows now, drop the changes that are delivered by that, and renew the claim, which ends its doubt.
-- KEYS: partition prefix
-- receipt: a row, without a ts where there is no card; lease: ms, or '' to give the lane back; notices: how many of them
-- are delivered since the last record; sent: `ts|where` of the message that reported the changes, as in the log, or ''
-- Returns 1, or 2 when the lane was given back and is due again, or 0 when the claim is lost: then nothing more may be
-- sent
local prefix, lane, token, receipt, lease, notices, sent = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
local execution, subscriber = split_lane(lane)
local now, shown = now_ms(), parse_receipt(receipt)
local before = parse_receipt(redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber) or '')
if before and before.ts ~= shown.ts then -- the card was posted again
  note(prefix, execution, string.format('k%s|%s|%s', subscriber, before.channel, before.ts))
end
if sent ~= '' and shown.delivered_through > (before and before.delivered_through or 0) then
  note(prefix, execution, string.format('s%s|%d|%s', subscriber, shown.delivered_through, sent))
  if shown.ts == '' then note(prefix, execution, string.format('k%s|%s|', subscriber, shown.channel)) end
end
local entries = prefix .. 'changes:' .. lane
while true do
  local head = redis.call('LINDEX', entries, 0)
  local revision, kind = parse_change(head or '')
  if not revision then break end
  if NOTICES[kind] then
    if tonumber(notices) == 0 then break end
    notices = notices - 1
  elseif revision > shown.delivered_through then
    break
  end
  redis.call('LPOP', entries)
end
-- The card does not show yet what was asked for since the claim, or that a quiet time is over.
local subscription = read_subscription(prefix, execution, subscriber)
if claim.is_again or quiet_until(prefix, lane, subscription, now) then shown.revision = 0 end
if shown.ts ~= '' then write_receipt(prefix, execution, subscriber, shown) end
if lease == '' then return give_back(prefix, lane, claim, now) and 2 or 1 end
claim.claimed, claim.ends, claim.doubt = now, now + lease, 0
write_claim(prefix, lane, claim)
schedule(prefix, lane, claim.ends)
return 1
