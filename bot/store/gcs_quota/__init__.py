"""The quota of calls to GCS, and how much each person may ask, for every copy of the bot.

The Lua scripts are beside the Python that runs them.
"""

from bot.store.gcs_quota.people import PersonLimit, Refusal
from bot.store.gcs_quota.quota import MOMENT_SECONDS, READER_LEASE, SLOW_START, WINDOW, GCSQuota

__all__ = ["MOMENT_SECONDS", "READER_LEASE", "SLOW_START", "WINDOW", "GCSQuota", "PersonLimit", "Refusal"]
