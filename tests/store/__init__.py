"""Promises of the store, against real servers."""
