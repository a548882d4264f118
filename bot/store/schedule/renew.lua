-- Renew the claims of polls that take long.
-- KEYS: partition prefix
-- lease: ms; then per poll: execution key, token, fingerprint that the list had shown when the poll began
-- Returns how many were renewed
-- Where a list has shown something newer since, another worker polls as soon as `listed.lua` said.
local prefix, lease = KEYS[1], unpack(ARGV, 1, 1)
local renewed, ends = 0, now_ms() + lease
for i = 2, #ARGV, 3 do
  local execution, token, listed_then = unpack(ARGV, i, i + 2)
  if redis.call('HGET', prefix .. 'leases', execution) == token
    and header_field(read_header(prefix, execution), 'listed') == listed_then then
    reschedule(prefix, execution, ends)
    renewed = renewed + 1
  end
end
return renewed
