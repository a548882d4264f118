"""The connection through which Slack's requests arrive."""
