"""The simulated GeneContainer Service: an HTTP server on loopback that behaves like GCS and IAM on the wire.

`server` has the class that others use (`GCS`). `gate` checks signatures, tokens and the quota; `iam` issues tokens;
`listing` filters and pages; `stage` runs lives, `bodies` and `events` write them; `faults` injects failures;
`ledger` records calls; `answers` has the forms of errors; `population` simulates thousands of executions. Started by
the demo, the end-to-end tests and the benchmarks, in their own process.
"""

from __future__ import annotations

from sandbox.gcs.faults import Fault
from sandbox.gcs.ledger import Call
from sandbox.gcs.server import GCS

__all__ = ["GCS", "Call", "Fault"]
