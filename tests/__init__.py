"""The promises of the bot, in rings: unit (pure), store (real server), end to end (whole service), browser."""
