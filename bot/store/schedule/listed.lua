-- Compare what a list shows with what the last polls saw: what is new is polled now, the rest later than otherwise.
-- KEYS: partition prefix
-- defer_for: ms until an execution that is unchanged is polled all the same, unless a list shows it again; staleness:
-- the longest ms between two polls; shown: per execution its fingerprint (8 characters, 'gone----': it dropped out of
-- the list), its key and a line feed
-- Returns how many are watched, unchanged, changed (to be polled now), and waiting (not unchanged, poll still to come)
-- Where lists and polls go on to differ (one of them lags, or lists have another shape), the usual polls go on.
local prefix, defer_for, staleness, shown = KEYS[1], unpack(ARGV)
local now = now_ms()
local watched, same, changed, waiting = 0, 0, 0, 0

local function due_at(execution)
  return tonumber(redis.call('ZSCORE', prefix .. 'due', execution) or 'inf')
end

local function is_leased(execution)
  return redis.call('HEXISTS', prefix .. 'leases', execution) == 1
end

-- Leave an unchanged execution to the lists for a while.
local function defer(execution, header)
  local due = due_at(execution)
  if due >= now + defer_for / 2 or expedited(prefix, execution) or is_leased(execution) then return end
  -- Spread, or all that were first seen together would have to be polled together.
  local share = 0.5 + (tonumber(string.sub(execution, -2), 16) or 0) / 1024
  local at = math.min(now + defer_for, header_field(header, 'seen') + math.floor(staleness * share))
  if at > due then redis.call('ZADD', prefix .. 'due', 'XX', at, execution) end
end

local function compare(execution, fingerprint)
  local header = read_header(prefix, execution)
  if header == '' then return end
  watched = watched + 1
  local listed = header_field(header, 'listed')
  if fingerprint ~= listed then write_header_field(prefix, execution, 'listed', fingerprint) end
  if fingerprint == header_field(header, 'state') then
    same = same + 1
    if header_field(header, 'kind') == 'Q' then defer(execution, header) end
    return
  end
  local leased = is_leased(execution)
  if fingerprint ~= listed then
    changed = changed + 1
    -- The worker that polls it now may have asked GCS too early, or be dead: then another one polls.
    expedite(prefix, execution, leased and now + 2000 or now, fingerprint)
  end
  if leased or due_at(execution) <= now or expedited(prefix, execution) then waiting = waiting + 1 end
end

for fingerprint, execution in string.gmatch(shown, '(........)([^\n]+)\n') do compare(execution, fingerprint) end
return {watched, same, changed, waiting}
