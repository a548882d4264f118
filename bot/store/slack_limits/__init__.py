"""The rate limiter for Slack, shared by every copy of the bot. Each script lies beside its caller."""

from bot.store.slack_limits.limits import POST, Admission, SlackLimits

__all__ = ["POST", "Admission", "SlackLimits"]
