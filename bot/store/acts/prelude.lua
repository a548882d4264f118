-- In front of every script on a partition: how an act is read and written.

-- A row is `token|action|by|began ms|result`; nil for one that cannot be read, or is missing.
local function parse_act(row)
  local token, action, by, began, result = string.match(row, '^([^|]+)|([^|]*)|([^|]*)|(%d+)|([^|]*)')
  if not token then return nil end
  return {token = token, action = action, by = by, began = tonumber(began), result = result}
end

local function write_act(key, act, keep_ms)
  local row = string.format('%s|%s|%s|%d|%s', act.token, act.action, act.by, act.began, act.result)
  redis.call('SET', key, row, 'PX', keep_ms)
end
