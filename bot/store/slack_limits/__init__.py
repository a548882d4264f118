"""The rate limiter for Slack, shared by every copy of the bot. The Lua scripts are beside the Python that runs them."""

from bot.store.slack_limits.limits import POST, Admission, SlackLimits

__all__ = ["POST", "Admission", "SlackLimits"]
