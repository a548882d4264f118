-- Slack refuses a catch-up message for now: the log of each end that it reports is to say so.
-- KEYS: partition prefix
-- lane: of the message; code: Slack's
-- Returns 1, or 0 when the claim is lost
local prefix, lane, token, code = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
redis.call('HSET', caught_of(prefix, lane), STATE, 'closed|' .. code)
return 1
