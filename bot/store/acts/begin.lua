-- Begin an act on an execution, unless another one is under way, or came since the person was asked.
-- KEYS: partition prefix
-- token: of this act, which may be sent twice; known: token of the last act that the person was shown, '' for none;
-- action, by; busy_ms: how long an act without a result is under way; keep_ms: how long it is remembered
-- Returns 1, or 0 when it must not begin
local prefix, execution, token, known, action, by, busy_ms, keep_ms = KEYS[1], unpack(ARGV)
local key, now = prefix .. 'act:' .. execution, now_ms()
local last = parse_act(redis.call('GET', key) or '')
if last and last.token == token then return 1 end
if (last and last.token or '') ~= known then return 0 end
if last and last.result == '' and now - last.began < tonumber(busy_ms) then return 0 end
write_act(key, {token = token, action = action, by = by, began = now, result = ''}, keep_ms)
return 1
