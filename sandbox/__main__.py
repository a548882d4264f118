"""`python -m sandbox`: the demo. Parses, and nothing else."""

from __future__ import annotations

import argparse
import asyncio
import sys

from sandbox import demo


def main() -> int:
    """Run the demo; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="The bot in a pretend world, to look at.")
    parser.add_argument("--port", type=int, default=3210, help="port of the page (default: 3210; 0: any free one)")
    parser.add_argument("--no-bot", action="store_true", help="start the pretend world alone")
    options = parser.parse_args()
    return asyncio.run(demo.run(port=options.port, has_bot=not options.no_bot))


if __name__ == "__main__":
    sys.exit(main())
