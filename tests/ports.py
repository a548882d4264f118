"""Ports for servers that tests start.

Lives here: `free_ports`. Does not live here: servers that let the kernel choose a port. Called by the tests and
fixtures that must know a port before something listens on it, or keep it while nothing listens.

The ports lie below the range from which the kernel takes ports by itself, so that nobody gets one of them while its
server is down. Each process starts at another place in that range: pytest-xdist runs several at once.
"""

from __future__ import annotations

import os
import socket
from itertools import count

FIRST, COUNT = 15_000, 17_000
"""Linux chooses ports from 32768 on."""

STEP = 211
"""How far apart two processes with neighbouring ids start: further than the ports that one of them uses."""

_next = count(os.getpid() * STEP)


def free_ports(number: int) -> list[int]:
    """`number` ports that nobody listens on, each handed out once in this process."""
    found: list[int] = []
    while len(found) < number:
        port = FIRST + next(_next) % COUNT
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
    return found
