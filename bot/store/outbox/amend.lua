-- Write another form of a change that is to be delivered.
-- KEYS: partition prefix
-- entry: of the change, which takes the place of that with the same revision and kind
-- Returns 1, or 0 when the claim is lost, or there is no such change
local prefix, lane, token, entry = KEYS[1], unpack(ARGV)
local claim = read_claim(prefix, lane)
if not claim or claim.token ~= token then return 0 end
local entries, revision, kind = prefix .. 'changes:' .. lane, parse_change(entry)
for i, known in ipairs(redis.call('LRANGE', entries, 0, -1)) do
  local revision_known, kind_known = parse_change(known)
  if revision_known == revision and kind_known == kind then
    redis.call('LSET', entries, i - 1, entry)
    return 1
  end
end
return 0
