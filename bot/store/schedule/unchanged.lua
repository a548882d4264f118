-- Settle looks that saw what the ones before them had seen, each by itself.
-- KEYS 1 partition prefix
-- ARGV per look: execution key, token, ms when GCS answered last, print that the list had shown when the look
--      began ('': there was no look, and news still is), ms until the next look
--      (below 0: it was due so long ago); with a bar between each two
-- Returns per look 1, or 0 when the claim is lost: somebody else looked later
local prefix = KEYS[1]
local now = server_time()
local answer = {}
for i, look in ipairs(ARGV) do
  local execution, token, seen, listed_then, wait = string.match(look, '^(.-)|(.-)|(.-)|(.-)|(-?%d+)$')
  local snap = prefix .. 'snap:' .. execution
  answer[i] = 0
  if redis.call('HGET', prefix .. 'leases', execution) == token then
    answer[i] = 1
    redis.call('HDEL', prefix .. 'leases', execution)
    if redis.call('EXISTS', prefix .. 'subs:' .. execution) == 0 then
      redis.call('ZREM', prefix .. 'due', execution)
      redis.call('ZREM', prefix .. 'expedited', execution)
      redis.call('DEL', snap)
    else
      redis.call('SETRANGE', snap, 32, seen)
      local state, listed = redis.call('GETRANGE', snap, 8, 15), redis.call('GETRANGE', snap, 24, 31)
      redis.call('ZADD', prefix .. 'due', now + wait, execution)
      if listed_then == '' then
        if redis.call('ZSCORE', prefix .. 'expedited', execution) then expedite(prefix, execution, now + wait, listed) end
      else
        redis.call('ZREM', prefix .. 'expedited', execution)
        -- A list may have shown something newer while this look was under way.
        if listed ~= listed_then and listed ~= state then expedite(prefix, execution, now, listed) end
      end
    end
  end
end
return answer
