"""A pretend world on real sockets, for the demo, the tests and the benchmarks.

`gcs` behaves like GeneContainer Service and IAM on the wire, `slack` like Slack; `story` has the lives that executions
lead here, `clock` the time they take. Nothing in here imports `bot` or `handlers`: a double that shares code with what
it tests shares its mistakes.
"""
