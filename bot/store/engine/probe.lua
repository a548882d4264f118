-- Write something that nobody reads and that is gone at once: shows whether the store takes writes.
-- KEYS: partition prefixes
-- Returns 1 for each
local answer = {}
for i, prefix in ipairs(KEYS) do
  redis.call('SET', prefix .. 'probe', '', 'PX', 1)
  answer[i] = 1
end
return answer
