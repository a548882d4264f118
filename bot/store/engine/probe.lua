-- Write something that nobody reads and that is gone at once: shows whether the store takes writes, and whether its
-- user may do what each connection (PING) and nearly each script (TIME) does.
-- KEYS: partition prefixes
-- Returns 1 for each
local answer = {}
redis.call('PING')
now_us()
for i, prefix in ipairs(KEYS) do
  redis.call('SET', prefix .. 'probe', '', 'PX', 1)
  answer[i] = 1
end
return answer
