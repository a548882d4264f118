"""The execution bot: follow long-running workflow executions from Slack.

People ask (`/execution <id>`), subscribe themselves or a channel, and are told: a card that is edited in place, a
thread line for each change, one message at the end. Executions run on Huawei Cloud GeneContainer Service (GCS).

Three rooms that never call each other (`subscriptions`, `watcher`, `notifier`) meet at one table (`store`); three
doors lead out and in (`gcs`, `slack`, and the sibling package `handlers`); a pure core (`model`, `changes`, `blocks`)
decides and draws. `service` builds it all. The whole design stands in `docs/architecture.md`.
"""

__version__ = "0.1.0"
