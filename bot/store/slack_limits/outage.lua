-- Whether Slack does not answer, and when it may be called.
-- KEYS: prefix of a workspace's limits
-- Returns ms until then, 0 when one call is to find out whether it answers again; -1 when it answers
local away = away_for(KEYS[1], now_us())
return away and math.ceil(away / 1000) or -1
