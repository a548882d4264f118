-- Subscribe because rules of the subscriber match a new execution: once, whatever has become of that since.
-- KEYS: partition prefix
-- subscription: a row; text: header and snapshot, for an execution that is not watched; revision: of that snapshot;
-- created: ms, of the execution; floor: ms, executions older than that were scanned before; keep_ms: for how long one
-- that is older than the floor is still remembered; card_wait: ms until the card is posted if no poll shows anything by
-- then; missed: entry of what the subscriber has missed of a watched execution, or ''; rank: of that; known: revision in
-- the store when the caller read it, '' for an execution that was not watched then
-- Returns {what was done, subscription's row}: 'made', 'louder' or 'kept' where somebody follows it by hand, 'seen' or
-- 'old'; or a number when the store has another revision than `known`, or the snapshot is behind it: then nothing is
-- written
local prefix, lane, subscription, text, revision, created, floor, keep_ms, card_wait, missed, rank, known =
  KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local now, passed = now_ms(), prefix .. 'passed'
if tonumber(created) < tonumber(floor) then return {'old', ''} end
local wanted, before = parse_subscription(subscription), read_subscription(prefix, execution, subscriber)
if redis.call('ZSCORE', passed, lane) or (before and before.own ~= '') then return {'seen', ''} end
local last = tonumber(header_field(read_header(prefix, execution), 'revision')) or 0
local is_watched = redis.call('ZSCORE', prefix .. 'due', execution)
if not before then
  if is_watched and tostring(last) ~= known then return last end
  if not is_watched and last >= tonumber(revision) then return last end
end

-- What somebody follows by hand goes on at the louder level; what has just ended does not begin again.
local function join()
  if before.is_ending then return 'seen' end
  local is_louder = lowest(wanted.level) < lowest(before.level)
  if before.own == '' then before.own = before.level end
  if is_louder then before.level = wanted.level end
  write_subscription(prefix, execution, subscriber, before)
  if is_louder then request_edit(prefix, execution, subscriber) end
  if is_louder then wake(prefix, lane, now, now) end
  return is_louder and 'louder' or 'kept'
end

-- Have its card posted; nobody waits for that, so in quiet hours it comes afterwards.
local function announce(at)
  local quiet = quiet_until(prefix, lane, wanted, now)
  if quiet then
    keep(prefix, lane, quiet)
  else
    wake(prefix, lane, at, now)
  end
end

local function make()
  write_subscription(prefix, execution, subscriber, wanted)
  if not is_watched then
    redis.call('SET', prefix .. 'snap:' .. execution, text)
    redis.call('ZADD', prefix .. 'due', now, execution)
  elseif missed ~= '' and tonumber(rank) >= lowest(wanted.level) then
    queue(prefix, lane, missed)
    announce(now)
  end
  if not is_silent(wanted) then announce(now + card_wait) end
  return 'made'
end

local done = before and join() or make()
redis.call('ZREMRANGEBYSCORE', passed, '-inf', floor - keep_ms)
return {done, redis.call('HGET', prefix .. 'subs:' .. execution, subscriber)}
