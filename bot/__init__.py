"""The execution bot: follow long-running workflow executions from Slack.

People ask (`/execution <id>`) or subscribe, themselves or a channel. They get a card that is edited in place, a line in
its thread for each change, and one message at the end. Executions run on Huawei Cloud GeneContainer Service (GCS).

Three workers (`watcher`, `sweeper`, `notifier`) never call each other and meet only in the `store`. Adapters talk to
the outside (`gcs`, `slack`, and the sibling package `handlers`), a pure core decides (`domain`) and renders (`blocks`),
and `app.service` builds it all. `docs/architecture.md` describes the design.
"""

__version__ = "0.1.0"
