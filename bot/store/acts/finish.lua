-- Write how an act ended. If it is done, everybody who follows the execution reads who did it, and it is polled now.
-- KEYS: partition prefix
-- token: of the act; result; notice: entry for the threads, or '' unless it is done; keep_ms: how long it is remembered
-- Returns 1, or 0 when it is another act's turn, or this one is known to be done
local prefix, execution, token, result, notice, keep_ms = KEYS[1], unpack(ARGV)
local key, now = prefix .. 'act:' .. execution, now_ms()
local act = parse_act(redis.call('GET', key) or '')
if not act or act.token ~= token or act.result == 'done' then return 0 end
act.result = result
write_act(key, act, keep_ms)
if notice == '' then return 1 end
local subscriptions = redis.call('HGETALL', prefix .. 'subs:' .. execution)
for i = 1, #subscriptions, 2 do
  local subscriber, subscription = subscriptions[i], parse_subscription(subscriptions[i + 1])
  -- People know what they did themselves.
  if subscriber ~= act.by and not (subscription and subscription.is_ending) then
    local lane = execution .. '/' .. subscriber
    queue(prefix, lane, notice)
    wake(prefix, lane, now, now)
  end
end
if not redis.call('HGET', prefix .. 'leases', execution) then expedite(prefix, execution, now) end
return 1
