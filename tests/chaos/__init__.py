"""The ring that sets everything on fire at once, at scale, and judges by what the two servers saw."""
