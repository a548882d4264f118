-- A catch-up message was posted, or cannot be: its lane is gone.
-- KEYS: partition prefix
-- lane: of the message; state: `posted|channel|ts`, or `own`; keep_ms: for how long that is remembered
-- Returns 1, or 0 when the claim is lost
local prefix, lane, token, state, keep_ms = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
finish(prefix, lane, state, keep_ms)
return 1
