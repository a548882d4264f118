-- Remember how a run of a workflow ended and how long it took, once.
-- KEYS: common beginning of the keys of an account's history
-- workflow: its key; mark: 8 characters, of this end alone; execution: its id; row: the end, JSON in one line;
-- is_good: '1' for a success; keep_ms: how long what nobody runs is kept; most_workflows, most_fields: at most so many
-- workflows, and fields of each; then per duration: field (`run`, `wait`, or `step:` and a name), its code (2 characters)
-- Returns 1, or 0 when this end is known
-- The durations of a run that had ended before (it was retried) are left out: they hold time in which nothing ran.
local history, workflow, mark, execution, row, is_good, keep_ms, most_workflows, most_fields =
  KEYS[1], unpack(ARGV, 1, 8)
local FIRST_DURATION, LAST, ENDS, MARKS, FEWEST = 9, 20, 10, 100, 3
local ALPHABET, PER_E = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz-', 160
local key = history .. 'of:' .. workflow

-- The spread of durations (the standard deviation of their logarithms, which codes are); nil for too few, never zero.
local function spread_of(codes)
  local logarithms, sum, squares = {}, 0, 0
  for first, second in string.gmatch(codes, '(.)(.)') do
    local high, low = string.find(ALPHABET, first, 1, true), string.find(ALPHABET, second, 1, true)
    if high and low then logarithms[#logarithms + 1] = ((high - 1) * #ALPHABET + low - 1) / PER_E end
  end
  if #logarithms < FEWEST then return nil end
  for _, each in ipairs(logarithms) do sum = sum + each end
  for _, each in ipairs(logarithms) do squares = squares + (each - sum / #logarithms) ^ 2 end
  return string.format('%.3f', math.max(math.sqrt(squares / (#logarithms - 1)), 0.001))
end

local marks = redis.call('HGET', key, 'marks') or ''
for at = 1, #marks, 8 do
  if string.sub(marks, at, at + 7) == mark then return 0 end
end

local ends, was_retried = {row}, false
for before in string.gmatch(redis.call('HGET', key, 'ends') or '', '[^\n]+') do
  if string.find(before, '"id":"' .. execution .. '"', 1, true) then was_retried = true end
  if #ends < ENDS then ends[#ends + 1] = before end
end
local values = {'marks', string.sub(mark .. marks, 1, 8 * MARKS), 'ends', table.concat(ends, '\n')}
if is_good == '1' then
  values[#values + 1] = 'good'
  values[#values + 1] = row
end

local free = most_fields - redis.call('HLEN', key)
for _, field in ipairs({'marks', 'ends', 'good'}) do free = free - (1 - redis.call('HEXISTS', key, field)) end
local spread
for i = FIRST_DURATION, was_retried and 0 or #ARGV, 2 do
  local field, code = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', key, field)
  if not known then free = free - 1 end
  if known or free >= 0 then
    values[#values + 1] = field
    values[#values + 1] = string.sub((known or '') .. code, -2 * LAST)
    if field == 'run' then spread = spread_of(values[#values]) end
  end
end

redis.call('HSET', key, unpack(values))
redis.call('PEXPIRE', key, keep_ms)
redis.call('ZADD', history .. 'workflows', now_ms(), workflow)
redis.call('PEXPIRE', history .. 'workflows', keep_ms)
if spread then redis.call('HSET', history .. 'spreads', workflow, spread) end
redis.call('PEXPIRE', history .. 'spreads', keep_ms)
local extra = redis.call('ZCARD', history .. 'workflows') - most_workflows
for _, old in ipairs(extra > 0 and redis.call('ZRANGE', history .. 'workflows', 0, extra - 1) or {}) do
  redis.call('ZREM', history .. 'workflows', old)
  redis.call('HDEL', history .. 'spreads', old)
  redis.call('DEL', history .. 'of:' .. old)
end
return 1
