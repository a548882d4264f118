-- Settle polls that saw what the ones before them had seen, each by itself.
-- KEYS: partition prefix
-- polls: a line for each, with | between its fields: execution key, token, ms when GCS answered last, fingerprint that
-- the list had shown when the poll began ('': there was no poll, so what was new still is), ms until the next poll
-- (below 0: it was due so long ago)
-- Returns per poll 1, or 0 when the claim is lost: another worker polled later
local prefix, polls = KEYS[1], unpack(ARGV)
local now, answer = now_ms(), {}

local function settle(execution, token, seen, listed_then, wait)
  if redis.call('HGET', prefix .. 'leases', execution) ~= token then return 0 end
  redis.call('HDEL', prefix .. 'leases', execution)
  if redis.call('EXISTS', prefix .. 'subs:' .. execution) == 0 then
    forget_execution(prefix, execution)
    return 1
  end
  write_header_field(prefix, execution, 'seen', seen)
  redis.call('ZADD', prefix .. 'due', now + wait, execution)
  local header = read_header(prefix, execution)
  local listed = header_field(header, 'listed')
  if listed_then == '' then
    if expedited(prefix, execution) then expedite(prefix, execution, now + wait, listed) end
    return 1
  end
  stop_expediting(prefix, execution)
  -- A list may have shown something newer during this poll.
  if listed ~= listed_then and listed ~= header_field(header, 'state') then expedite(prefix, execution, now, listed) end
  return 1
end

for execution, token, seen, listed_then, wait in string.gmatch(polls, '(.-)|(.-)|(.-)|(.-)|(.-)\n') do
  answer[#answer + 1] = settle(execution, token, seen, listed_then, wait)
end
return answer
