-- A catch-up message is about to be posted: no more ends join it.
-- KEYS: partition prefix
-- lane: of the message; keep_ms: for how long it is remembered what became of it
-- Returns its ends, JSON; none where it had at most one, which its own lane reports: the lane is gone then; or nil when
-- the claim is lost
local prefix, lane, token, keep_ms = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return nil end
local ends, rows = {}, redis.call('HGETALL', caught_of(prefix, lane))
for i = 1, #rows, 2 do
  if rows[i] ~= STATE and rows[i + 1] ~= '' then ends[#ends + 1] = rows[i + 1] end
end
if #ends < 2 then
  finish(prefix, lane, 'own', keep_ms)
  return {}
end
if read_state(prefix, lane) ~= 'closed' then redis.call('HSET', caught_of(prefix, lane), STATE, 'closed') end
return ends
