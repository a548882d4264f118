"""The pretend GeneContainer Service: an HTTP server on loopback that behaves like GCS and IAM on the wire.

`server` answers and is what others use (`GCS`); `gate` checks signatures, tokens and the quota; `iam` hands out tokens;
`listing` filters and pages; `stage` plays lives and `bodies` writes them down as GCS would; `faults` makes things go
wrong; `ledger` remembers calls; `answers` has the forms of errors. Started by the demo, the end-to-end tests and the
benchmarks, in their own process.
"""

from __future__ import annotations

from sandbox.gcs.faults import Fault
from sandbox.gcs.ledger import Call
from sandbox.gcs.server import GCS

__all__ = ["GCS", "Call", "Fault"]
