-- Notice that the server's clock was set back, by the latest moment that it has shown, and have nothing wait for the
-- moments that it showed before: all that is due is due as soon as it would have been.
-- KEYS: partition prefixes
-- least: ms from which on it counts as set back; is_mending: 0 to learn only
-- Returns for each partition {now in ms, how many ms the clock was set back or 0}
local least, is_mending = unpack(ARGV)
local now = now_ms()

local function note_now(prefix)
  redis.call('SET', prefix .. 'clock', string.format('%.0f', now))
end

local function bring_forward(set, back)
  for _, member in ipairs(redis.call('ZRANGE', set, 0, -1)) do redis.call('ZINCRBY', set, -back, member) end
end

-- Of what was claimed before. What was claimed since is right: were it to end now, two workers would send it at once.
local function bring_claims_forward(prefix, back)
  local claims = redis.call('HGETALL', prefix .. 'claims')
  for i = 1, #claims, 2 do
    local claim = parse_claim(claims[i + 1])
    if claim then
      if claim.claimed > now then claim.claimed, claim.ends = claim.claimed - back, math.max(0, claim.ends - back) end
      if claim.doubt > now then claim.doubt = claim.doubt - back end
      write_claim(prefix, claims[i], claim)
    end
  end
end

local answer = {}
for i, prefix in ipairs(KEYS) do
  local back = tonumber(redis.call('GET', prefix .. 'clock') or now) - now
  if back < tonumber(least) then
    if back <= 0 then note_now(prefix) end
    back = 0
  elseif is_mending ~= '0' then
    for _, set in ipairs({'due', 'alarms', unpack(AHEAD)}) do bring_forward(prefix .. set, back) end
    for _, priority in ipairs(PRIORITIES) do bring_forward(prefix .. 'outbox:' .. priority, back) end
    bring_claims_forward(prefix, back)
    note_now(prefix)
  end
  answer[i] = {now, back}
end
return answer
