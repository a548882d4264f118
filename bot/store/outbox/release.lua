-- Give a lane back.
-- KEYS: partition prefix
-- wait: ms until the lane is due; a negative number makes it due since that long ago; '' when all is delivered
-- in_doubt: '1' when the outcome of its last send is unknown; code: why Slack refuses it, or ''
-- Returns 1, or 2 when the lane is due again, or 0 when the claim is lost
-- A lane in doubt is claimed at that time and not before; another one sooner, if something happens to it.
local prefix, lane, token, wait, in_doubt, code = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
local now = now_ms()
local execution, subscriber = split_lane(lane)
if code ~= '' then note_refused(prefix, execution, subscriber, code, now) end
if in_doubt == '1' then
  claim.ends, claim.is_again = 0, false
  write_claim(prefix, lane, claim)
  schedule(prefix, lane, now + wait)
elseif wait ~= '' and not claim.is_again then
  redis.call('HDEL', prefix .. 'claims', lane)
  schedule(prefix, lane, now + wait)
elseif give_back(prefix, lane, claim, now) then
  return 2
end
return 1
