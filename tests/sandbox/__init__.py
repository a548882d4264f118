"""Promises of the pretend world: a double that is wrong makes every other test worthless."""
