-- Compare what a list shows with what the last looks saw: news is looked at now, the rest later than it would have been.
-- KEYS 1 partition prefix; ARGV 1 ms until an execution that is as it was is looked at all the same, unless a list
--      shows it again, 2 the longest ms between two looks, then per execution: key, print ('gone----': dropped out)
-- Returns how many are watched, how many of these are as they were, have news, have their look still to come
-- Where list and look go on to differ (one of them lags, or lists have another shape), the usual looks go on.
local prefix, defer_for, longest = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local now = server_time()
local watched, same, changed, waiting = 0, 0, 0, 0
for i = 3, #ARGV, 2 do
  local execution, print = ARGV[i], ARGV[i + 1]
  local snap = prefix .. 'snap:' .. execution
  local head = redis.call('GETRANGE', snap, 0, 55)
  if head ~= '' then
    watched = watched + 1
    local listed, kind = string.sub(head, 25, 32), string.sub(head, 56)
    if print ~= listed then redis.call('SETRANGE', snap, 24, print) end
    if print == string.sub(head, 9, 16) then
      same = same + 1
      local due = tonumber(redis.call('ZSCORE', prefix .. 'due', execution) or 'inf')
      if kind == 'Q' and due < now + defer_for / 2 and not redis.call('ZSCORE', prefix .. 'expedited', execution)
        and not redis.call('HGET', prefix .. 'leases', execution) then
        -- Spread, or all that were first seen together would have to be looked at together.
        local share = 0.5 + (tonumber(string.sub(execution, -2), 16) or 0) / 1024
        local at = math.min(now + defer_for, tonumber(string.sub(head, 33, 45)) + math.floor(longest * share))
        if at > due then redis.call('ZADD', prefix .. 'due', 'XX', at, execution) end
      end
    else
      local is_leased = redis.call('HGET', prefix .. 'leases', execution)
      if print ~= listed then
        changed = changed + 1
        -- Whoever looks at it now may have asked too early, or be dead: then somebody else looks.
        expedite(prefix, execution, is_leased and now + 2000 or now, is_leased or print)
      end
      local due = tonumber(redis.call('ZSCORE', prefix .. 'due', execution) or 'inf')
      if is_leased or due <= now or redis.call('ZSCORE', prefix .. 'expedited', execution) then waiting = waiting + 1 end
    end
  end
end
return {watched, same, changed, waiting}
