"""The simulated world: a fake that is wrong makes every other test worthless."""
