"""How fast the bot is, as its users feel it, and what it costs.

One module for each group of rows: `delays`, `rules`, `wire`, `burst`, `acks`, `load`, `memory`, `polling`, `replicas`,
`calibration`, `rendering`; each has `rows()`, an asynchronous generator of `Row`. `harness` has what they share, `bots`
starts bots as processes, `servers` serves a lean GCS and Slack, `virtual`, `simulation` and `finding` run hours in
minutes, `report` writes docs/performance.md.
`python -m benchmarks` runs them all and writes results.json beside this file; with names of modules it runs those and
writes nothing. May import everything; nobody imports it.
"""
