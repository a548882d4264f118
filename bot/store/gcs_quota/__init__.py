"""The quota of calls to GCS, shared by every copy of the bot. Each script lies beside its caller."""

from bot.store.gcs_quota.quota import MOMENT_SECONDS, READER_LEASE, SLOW_START, WINDOW, GCSQuota

__all__ = ["MOMENT_SECONDS", "READER_LEASE", "SLOW_START", "WINDOW", "GCSQuota"]
