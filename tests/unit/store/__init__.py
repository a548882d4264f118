"""Pure parts of the store."""
