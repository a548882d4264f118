-- Bring the history of a workflow into this store that another one held.
-- KEYS: common beginning of the keys of an account's history
-- workflow: its key; keep_ms: how long what nobody runs is kept; most_workflows: at most so many are remembered;
-- spread: of its durations, '' when there are too few; then the fields of its hash and their values
-- Returns 1, or 0 when the workflow is known, or there are as many: what is there stays
local history, workflow, keep_ms, most_workflows, spread = KEYS[1], unpack(ARGV, 1, 4)
local FIRST_FIELD = 5
local key = history .. 'of:' .. workflow
if redis.call('EXISTS', key) == 1 then return 0 end
if redis.call('ZCARD', history .. 'workflows') >= tonumber(most_workflows) then return 0 end
redis.call('HSET', key, unpack(ARGV, FIRST_FIELD))
redis.call('PEXPIRE', key, keep_ms)
redis.call('ZADD', history .. 'workflows', now_ms(), workflow)
redis.call('PEXPIRE', history .. 'workflows', keep_ms)
if spread ~= '' then redis.call('HSET', history .. 'spreads', workflow, spread) end
redis.call('PEXPIRE', history .. 'spreads', keep_ms)
return 1
