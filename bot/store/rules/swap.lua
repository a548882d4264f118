-- Write a rule, or a board, in place of the one that the caller has read.
-- KEYS: home of an account's rules, or boards
-- field: `<subscriber id>/<id>`; expected: the row that was read, '' for none; wanted: the row, '' for none; most: so
-- many rules the subscriber may have with a new one
-- Returns {1, ''}; or {0, the row} when it is another one; or {-1, ''} when there are too many
local rows, field, expected, wanted, most = KEYS[1] .. 'rows', unpack(ARGV)
local found = redis.call('HGET', rows, field) or ''
if found ~= expected then return {0, found} end
if wanted == '' then
  redis.call('HDEL', rows, field)
  redis.call('DEL', KEYS[1] .. 'of:' .. field)
  return {1, ''}
end
if found == '' then
  local begin, count = string.match(field, '^[^/]*/'), 0
  for _, other in ipairs(redis.call('HKEYS', rows)) do
    if string.sub(other, 1, #begin) == begin then count = count + 1 end
  end
  if count >= tonumber(most) then return {-1, ''} end
end
redis.call('HSET', rows, field, wanted)
return {1, ''}
