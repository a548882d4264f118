"""A simulated world on real sockets, for the demo, the tests and the benchmarks.

`gcs` behaves like GeneContainer Service and IAM on the wire, `slack` like Slack. `story` says how executions proceed
here, `clock` how fast, and `page` shows the simulated Slack in a browser. Nothing here imports `bot` or `handlers`: a
fake that shares code with what it tests shares its mistakes.
"""
