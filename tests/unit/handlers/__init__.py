"""Listeners, called through Bolt as Slack does."""
