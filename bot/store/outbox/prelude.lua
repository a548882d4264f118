-- In front of every script on a partition: claims, changes and the order in which lanes are delivered.

-- A claim's row is `token|claimed ms|ends ms|again?|doubt ms`. It ends at 0 when the lane was put back in doubt: the
-- lane then keeps its time, because the send may still be under way. `is_again`: something happened since it was
-- claimed. `doubt`: when the first send began whose outcome is unknown; 0 for none.
local function parse_claim(row)
  local token, claimed, ends, again, doubt = string.match(row, '^(.-)|(%d+)|(%d+)|(%d)|(%d+)')
  if not token then return nil end -- unreadable: as if nobody had claimed it
  return {
    token = token, claimed = tonumber(claimed), ends = tonumber(ends), is_again = again == '1', doubt = tonumber(doubt),
  }
end

-- The claim of a lane, or nil.
local function read_claim(prefix, lane)
  local row = redis.call('HGET', prefix .. 'claims', lane)
  return row and parse_claim(row)
end

local function write_claim(prefix, lane, claim)
  local again = claim.is_again and 1 or 0
  local row = string.format('%s|%d|%d|%d|%d', claim.token, claim.claimed, claim.ends, again, claim.doubt)
  redis.call('HSET', prefix .. 'claims', lane, row)
end

-- Revision, kind and JSON of a change, whose entry is `revision|JSON`; of one that is unreadable nil, nil and ''.
local function parse_change(entry)
  local revision, json = string.match(entry, '^(%d+)|(.*)$')
  json = json or ''
  return tonumber(revision), string.match(json, '^{"kind":"([%l_]+)"'), json
end

-- What people did. Such changes have no revision: a receipt says how many of them are delivered.
local NOTICES = {level = true, stopped = true, muted = true, unmuted = true, acted = true}

-- Append a change to a lane, which holds 50 at most. Of more, the line after the oldest goes: progress first, then
-- phases, then warnings. The oldest stays because it says where the count and the phases came from; outcomes and the like
-- never go.
local function queue(prefix, lane, entry)
  local entries = prefix .. 'changes:' .. lane
  if redis.call('RPUSH', entries, entry) <= 50 then return end
  for _, dispensable in ipairs({'progress', 'level', 'phase', 'slow', 'step_failed'}) do
    local has_oldest = false
    for _, old in ipairs(redis.call('LRANGE', entries, 0, -2)) do
      local _, kind = parse_change(old)
      if kind == dispensable then
        if has_oldest then return redis.call('LREM', entries, 1, old) end
        has_oldest = true
      end
    end
  end
end

-- The outbox has one set per priority, the most urgent first: outcomes for people, outcomes for channels, the rest.
local PRIORITIES = {0, 1, 2}

local function priority_of(prefix, lane)
  if string.find(lane, '%-c%-%x+/[UW]') then return 0 end -- a catch-up message, which reports ends
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, -1)) do
    local _, kind = parse_change(entry)
    if kind == 'outcome' or kind == 'vanished' then return string.find(lane, '/[UW][^/]*$') and 0 or 1 end
  end
  return 2
end

-- When a lane is delivered, and its priority; nil when it is not in the outbox.
local function scheduled(prefix, lane)
  for _, priority in ipairs(PRIORITIES) do
    local at = redis.call('ZSCORE', prefix .. 'outbox:' .. priority, lane)
    if at then return tonumber(at), priority end
  end
end

local function unschedule(prefix, lane)
  for _, priority in ipairs(PRIORITIES) do redis.call('ZREM', prefix .. 'outbox:' .. priority, lane) end
end

-- Deliver a lane at `at`, in the set of its priority.
local function schedule(prefix, lane, at)
  local priority = priority_of(prefix, lane)
  local _, before = scheduled(prefix, lane)
  if before and before ~= priority then redis.call('ZREM', prefix .. 'outbox:' .. before, lane) end
  redis.call('ZADD', prefix .. 'outbox:' .. priority, at, lane)
end

-- Something has happened: deliver a lane by `at`. One that is being delivered is delivered again afterwards, and one in
-- doubt that was put back keeps its time.
local function wake(prefix, lane, at, now)
  local claim, before = read_claim(prefix, lane), scheduled(prefix, lane)
  if not claim or not before then
    schedule(prefix, lane, math.min(at, before or at))
  elseif claim.ends > now then
    claim.is_again = true
    write_claim(prefix, lane, claim)
  end
end

-- Drop what is still to be delivered, since somebody has ended the subscription.
local function drop_changes(prefix, lane)
  local execution, subscriber = split_lane(lane)
  if redis.call('DEL', prefix .. 'changes:' .. lane) > 0 then note(prefix, execution, 'd' .. subscriber .. '|') end
end

-- Phases of an outcome that is a failure.
local FAILED = {Failed = true, Error = true}

-- What may end a quiet time early: 'muted', said by the notice that begins it, or 'failure', one that is announced.
local function breaks_quiet(entry)
  local _, kind, json = parse_change(entry)
  if kind == 'muted' then return 'muted' end
  local is_read, change = pcall(cjson.decode, json)
  if not is_read then return nil end
  if change.is_alert == true or (kind == 'outcome' and FAILED[change.phase]) then return 'failure' end
end

-- Until when a lane keeps its changes and only its card is edited: ms, math.huge until its execution ends; nil when they
-- are delivered. Workers ask when they claim it, and scripts before they have it claimed, so that it costs nothing.
local function quiet_until(prefix, lane, subscription, now)
  if not subscription then return nil end
  local all, failures = quiet_times(subscription, now)
  if all == 0 then return nil end
  for _, entry in ipairs(redis.call('LRANGE', prefix .. 'changes:' .. lane, 0, -1)) do
    local why = breaks_quiet(entry)
    if why == 'muted' then return nil end
    if why == 'failure' then all = failures end
  end
  return all > 0 and all or nil
end

-- Something has happened to a lane that keeps it until `at`. One that is claimed is given back for that time.
local function keep(prefix, lane, at)
  if read_claim(prefix, lane) then return end
  at = math.min(at, scheduled(prefix, lane) or at)
  if at < math.huge then schedule(prefix, lane, at) end
end

-- Give a lane back that was worked on. Returns whether it is due again, because something has happened to it. If it is
-- quiet, it is claimed once more when that ends: its card says something else then.
local function give_back(prefix, lane, claim, now)
  redis.call('HDEL', prefix .. 'claims', lane)
  local subscription = read_subscription(prefix, split_lane(lane))
  local quiet = quiet_until(prefix, lane, subscription, now)
  if claim.is_again or (not quiet and redis.call('LLEN', prefix .. 'changes:' .. lane) > 0) then
    schedule(prefix, lane, now)
    return true
  end
  unschedule(prefix, lane)
  if quiet and quiet < math.huge then schedule(prefix, lane, quiet) end
  return false
end
