"""`python -m tests.fuzz`: rounds of the ring, each with another seed, for as long as asked.

Lives here: the rounds, and what they found. Does not live here: how many examples a round has
(`tests/fuzz/profiles.py`). Called by `make fuzz`.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from time import monotonic

from tests.fuzz.profiles import FUZZ

_PASSED = re.compile(r"(\d+) passing,")
_FAILED = re.compile(r"^FAILED (\S+)", re.MULTILINE)


def main() -> int:
    """Run rounds until the time is up; 1 if one of them found something."""
    asked = argparse.ArgumentParser(prog="tests.fuzz", description=__doc__)
    asked.add_argument("--minutes", type=float, default=10, help="how long to go on; the last round is finished")
    asked.add_argument("--seed", type=int, default=1, help="of the first round; each next one has the next number")
    asked.add_argument("--only", default="", help="run tests only whose names contain this")
    options = asked.parse_args()
    ends, seed, tried = monotonic() + options.minutes * 60, options.seed, 0
    found: set[str] = set()
    while True:
        printed, is_good = _round(seed, options.only)
        tried += sum(map(int, _PASSED.findall(printed)))
        failed = set(_FAILED.findall(printed)) or (set() if is_good else {"the round itself"})
        if failed - found:
            sys.stdout.write(printed)
        found |= failed
        sys.stdout.write(f"Seed {seed}: {tried} examples so far; failed: {', '.join(sorted(failed)) or 'nothing'}.\n")
        sys.stdout.flush()
        seed += 1
        if monotonic() >= ends:
            return 1 if found else 0


def _round(seed: int, only: str) -> tuple[str, bool]:
    """Run the ring once; returns what it printed, and whether all is well."""
    options = ["-q", "--hypothesis-show-statistics", f"--hypothesis-profile={FUZZ}", f"--hypothesis-seed={seed}"]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options, "tests/fuzz", "-k", only]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # this interpreter
    return done.stdout + done.stderr, done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
