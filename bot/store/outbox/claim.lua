-- Claim lanes: each goes to one worker, together with everything that it needs to deliver.
-- KEYS: partition prefix
-- limit: at most so many lanes; lease: ms; token: of this claim; most_changes: at most so many of each lane; scope: how
-- our lanes begin; aside: ms for which others' are left alone; recent: only lanes that became due within so many ms;
-- absent: all
-- Returns now in ms, then per lane: lane, when the send began that is in doubt (ms; 0: none is), 1 when it keeps its
-- changes and only its card is edited (else 0), subscription, receipt, snapshot, number of changes, changes…
-- A claim that outlived its lease means that its worker died between sending and recording: the lane is in doubt.
local prefix, limit, lease, token, most_changes, scope, aside, recent = KEYS[1], unpack(ARGV)
local now = now_ms()
local first_at = recent and '(' .. now - recent or '-inf'
local answer, claimed = {now}, 0

local function drop(lane)
  unschedule(prefix, lane)
  redis.call('HDEL', prefix .. 'claims', lane)
  redis.call('DEL', prefix .. 'changes:' .. lane)
end

local function add(...)
  for _, value in ipairs({...}) do answer[#answer + 1] = value end
end

local function take(lane, set)
  local before = read_claim(prefix, lane)
  if before and before.ends > now then
    redis.call('ZADD', set, before.ends, lane)
    return
  end
  local execution, subscriber = split_lane(lane)
  local subscription = redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)
  local snapshot = redis.call('GET', prefix .. 'snap:' .. execution)
  if not subscription or not snapshot then return drop(lane) end
  local doubt = before and (before.doubt > 0 and before.doubt or before.claimed) or 0
  redis.call('ZADD', set, now + lease, lane)
  write_claim(prefix, lane, {token = token, claimed = now, ends = now + lease, doubt = doubt})
  local entries = redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, most_changes - 1)
  local receipt = redis.call('HGET', prefix .. 'receipts:' .. execution, subscriber) or ''
  local is_quiet = quiet_until(prefix, lane, parse_subscription(subscription), now) and 1 or 0
  add(lane, doubt, is_quiet, subscription, receipt, snapshot, #entries, unpack(entries))
end

for _, priority in ipairs(PRIORITIES) do
  local set = prefix .. 'outbox:' .. priority
  for _, lane in ipairs(redis.call('ZRANGEBYSCORE', set, first_at, now, 'LIMIT', 0, limit - claimed)) do
    if string.sub(lane, 1, #scope) == scope then
      take(lane, set)
    else -- of another workspace or GCS account: it stays, for its owner
      redis.call('ZADD', set, now + aside, lane)
    end
    claimed = claimed + 1
  end
end
return answer
