"""How fast it is, and how small: each claim a ratio that is measured in one run.

One module for each group of rows: `polling`, `asking`, `telling`, `remembering`, `running`, `sharing`; each has an
`async def rows()`. `harness` has what they share, `servers` what they measure against, `report` writes
docs/performance.md. `python -m benchmarks` runs them all and writes results.json beside this file; with names of
modules it runs those and writes nothing. May import everything; nobody imports it.
"""
