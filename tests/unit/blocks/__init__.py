"""Promises of `bot.blocks`."""
