"""What the bot knows and decides, pure: no I/O, no clock.

Lives here: the nouns (`model`), what a poll means (`observing`), what is delivered first (`priority`). Imported by
everything above; imports nothing of the bot.
"""
