"""Promises of the whole service, as a process, against the sandbox."""
