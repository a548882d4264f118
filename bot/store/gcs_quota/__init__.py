"""The quota of calls to GCS, shared by every copy of the bot. The Lua scripts are beside the Python that runs them."""

from bot.store.gcs_quota.quota import MOMENT_SECONDS, READER_LEASE, SLOW_START, WINDOW, GCSQuota

__all__ = ["MOMENT_SECONDS", "READER_LEASE", "SLOW_START", "WINDOW", "GCSQuota"]
