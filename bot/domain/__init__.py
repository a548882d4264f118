"""What the bot knows and decides, pure: no I/O, no clock.

Lives here: the nouns (`execution`, `change`, `following`, `snapshot`), what a poll means (`observing`), when to poll
next (`cadence`), what is delivered first (`priority`). Imported by every layer above; imports nothing else of the bot.
"""
