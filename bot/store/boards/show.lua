-- Have a board's message show something else, by an edit.
-- KEYS: partition prefix
-- revision: of the stored snapshot that `text`, header and snapshot, takes the place of
-- Returns 1, or 0 when another copy of the bot was faster, or the message is not the board's any more
local prefix, lane, revision, text = KEYS[1], unpack(ARGV)
local execution, subscriber = split_lane(lane)
local subscription = read_subscription(prefix, execution, subscriber)
if not subscription or subscription.is_ending then return 0 end
if header_field(read_header(prefix, execution), 'revision') ~= revision then return 0 end
local now = now_ms()
redis.call('SET', prefix .. 'snap:' .. execution, text)
-- One that waits already, for Slack or for an approval, shows the newest when its time has come.
if read_claim(prefix, lane) or not scheduled(prefix, lane) then wake(prefix, lane, now, now) end
return 1
