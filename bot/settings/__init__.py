"""Every setting of the bot; the only package that reads the environment.

Lives here: the settings themselves (`fields`), where they are read from (`sources`), how their values are written
(`values`), what is wrong with them and what to do about it (`advice`), and the page that documents them (`page`). Does
not live here: what settings are used for. Called by `bot.app` and by tests; `python -m bot.settings` prints
`docs/settings.md`.

A secret is a `SecretStr`, and no line of `SettingsInvalid` repeats a value that was given.
"""

from bot.settings.fields import NAMES, Settings

__all__ = ["NAMES", "Settings"]
