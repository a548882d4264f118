-- Claim executions that are due: move each behind a lease and hand it out with its snapshot.
-- KEYS: partition prefix
-- limit: at most so many; lease: ms; token: of this claim; first_after: ms after which what is overdue goes ahead of
-- what is expedited; scope: how our execution keys begin; aside: ms for which others' are left alone
-- Returns now in ms, then per execution: key, ms since it was due, expedited or rung, header and snapshot, 1 when its
-- alarm rings (else 0)
-- An expedited execution stays expedited: should its worker die, it goes ahead of the others again when the lease ends.
local prefix, limit, lease, token, first_after, scope, aside = KEYS[1], unpack(ARGV)
local now = now_ms()
local answer, claimed = {now}, 0

local function claim(set, till)
  local ready = redis.call('ZRANGEBYSCORE', prefix .. set, '-inf', till, 'WITHSCORES', 'LIMIT', 0, limit - claimed)
  for i = 1, #ready, 2 do
    local execution, at = ready[i], ready[i + 1]
    local due = redis.call('ZSCORE', prefix .. 'due', execution)
    local snapshot = redis.call('GET', prefix .. 'snap:' .. execution)
    if string.sub(execution, 1, #scope) ~= scope then -- of another workspace or GCS account: it stays, for its owner
      reschedule(prefix, execution, now + aside)
    elseif due and snapshot then
      local rings = (tonumber(redis.call('ZSCORE', prefix .. 'alarms', execution)) or now + 1) <= now
      reschedule(prefix, execution, now + lease)
      redis.call('HSET', prefix .. 'leases', execution, token)
      answer[#answer + 1] = execution
      answer[#answer + 1] = now - math.min(due, at)
      answer[#answer + 1] = snapshot
      answer[#answer + 1] = rings and 1 or 0
      claimed = claimed + 1
    else
      stop_polling(prefix, execution)
    end
  end
end

claim('due', now - first_after)
for _, set in ipairs(AHEAD) do claim(set, now) end
claim('alarms', now)
claim('due', now)
return answer
