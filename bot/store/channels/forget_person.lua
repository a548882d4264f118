-- Delete the name of a person from what is known of a channel; an approval stays, without the name of who gave it.
-- KEYS: channel
-- nobody: what stands for somebody whose data was deleted
-- Returns 1, or 0 when the person is not named there
local key, person, nobody = KEYS[1], unpack(ARGV)
local notified, names, is_named = redis.call('HGET', key, 'notified') or '', {}, 0
for name in string.gmatch(notified, '%S+') do
  if name == person then is_named = 1 else names[#names + 1] = name end
end
if is_named == 1 then redis.call('HSET', key, 'notified', table.concat(names, ' ')) end
if redis.call('HGET', key, 'approver') == person then
  redis.call('HSET', key, 'approver', nobody)
  is_named = 1
end
return is_named
