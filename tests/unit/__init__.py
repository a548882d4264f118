"""Pure promises: no I/O, no clock."""
