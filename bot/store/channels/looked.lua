-- Note whether a channel is shared with other organisations, and with which. An approval lasts for as long as that stays
-- so, and covers those for which it was given. When another one joins, the owners of subscriptions are notified again.
-- KEYS: channel
-- shared: '1' or '0'; keep_ms: how long that is remembered without an approval; organisations: ids, with spaces between
-- them; has_joined: '1' when they have joined, '0' when they are all
-- Returns 1
local key, shared, keep_ms, organisations, has_joined = KEYS[1], unpack(ARGV)

local function ids_of(text)
  local found = {}
  for id in string.gmatch(text or '', '%S+') do found[id] = true end
  return found
end

local function text_of(ids)
  local found = {}
  for id in pairs(ids) do found[#found + 1] = id end
  table.sort(found)
  return table.concat(found, ' ')
end

if shared ~= '1' then redis.call('DEL', key) end
local known, approved = unpack(redis.call('HMGET', key, 'organisations', 'approved'))
local before, now = ids_of(known), ids_of(organisations)
if has_joined == '1' then
  for id in pairs(before) do now[id] = true end
elseif organisations ~= '' and approved then
  local kept = {}
  for id in pairs(ids_of(approved)) do if now[id] then kept[id] = true end end
  redis.call('HSET', key, 'approved', text_of(kept))
end
for id in pairs(now) do
  if not before[id] and not ids_of(approved)[id] then redis.call('HDEL', key, 'notified') end
end
redis.call('HSET', key, 'shared', shared, 'looked', now_ms(), 'organisations', text_of(now))
if redis.call('HEXISTS', key, 'approver') == 0 then redis.call('PEXPIRE', key, keep_ms) end
return 1
