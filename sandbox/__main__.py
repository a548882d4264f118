"""`python -m sandbox`: the demo.

Lives here: the options. Does not live here: what they start (`sandbox.terminal`). Called by `make demo`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox import terminal


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m sandbox", description="Run the bot between a simulated GCS and a simulated Slack."
    )
    parser.add_argument("--port", type=int, default=3210, help="port of the page (default: 3210; 0: any free port)")
    parser.add_argument("--no-bot", action="store_true", help="start the simulated services without the bot")
    options = parser.parse_args()
    return asyncio.run(terminal.run(port=options.port, has_bot=not options.no_bot))


if __name__ == "__main__":
    sys.exit(main())
