"""How many examples the ring tries.

Lives here: `examples`. Does not live here: the profiles of hypothesis (`tests/conftest.py`), how long `make fuzz` goes
on (`tests/fuzz/__main__.py`). Called by the tests of this ring.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

FUZZ = "fuzz"
"""The profile of `make fuzz`: other examples with each seed. With all other profiles they are always the same."""

MORE = 5
"""How many times more examples a test tries then, in one round."""


def examples(few: int) -> settings:
    """Settings for a test that tries `few` examples under `make test`."""
    is_fuzzing = settings.get_current_profile_name() == FUZZ
    return settings(
        max_examples=few * MORE if is_fuzzing else few,
        derandomize=not is_fuzzing,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
