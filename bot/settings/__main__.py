"""`python -m bot.settings` prints `docs/settings.md`."""

import sys

from bot.settings.page import reference

sys.stdout.write(reference())
