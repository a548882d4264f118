"""Promises of the simulated world: a double that is wrong makes every other test worthless."""
