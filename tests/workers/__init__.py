"""Rooms with a real store and the sandbox on real sockets, moved by `run_once()`: no process, and time at a word."""
