"""Promises to the eye, in a real browser."""
