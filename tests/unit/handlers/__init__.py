"""Listeners, entered by Bolt's own door."""
