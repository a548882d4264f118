"""Every metric of the bot, declared in one place.

Names are `execution_bot_<room>_<thing>_<unit|total>`. Does not live here: when they move (the rooms), how they are
served (`bot.app.health`). Labels have few values by construction: never an id, never foreign text.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

GCS_CALLS = Counter("execution_bot_gcs_calls_total", "Calls to GCS by outcome.", ["outcome"])
GCS_CALL_SECONDS = Histogram("execution_bot_gcs_call_seconds", "Time until GCS had answered in full.")
GCS_TOKENS = Counter("execution_bot_gcs_tokens_total", "IAM tokens fetched.")

WATCHER_POLLS = Counter("execution_bot_watcher_polls_total", "Executions looked at, by result.", ["result"])
WATCHER_CHANGES = Counter("execution_bot_watcher_changes_total", "Changes settled, by kind.", ["kind"])
WATCHER_LATE_SECONDS = Histogram(
    "execution_bot_watcher_late_seconds",
    "How long after its due time an execution was looked at.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
WATCHER_STOPPED = Gauge("execution_bot_watcher_stopped", "1 while GCS refuses the credentials and calls are held back.")

WATCHER_EXECUTIONS = Gauge("execution_bot_watcher_executions", "Executions watched, where lists are read.")

SWEEPER_ACTIVE = Gauge("execution_bot_sweeper_active", "1 while this process reads lists, since that pays.")
SWEEPER_PAGES = Counter("execution_bot_sweeper_pages_total", "Pages of lists that were read.")
SWEEPER_BYTES = Counter("execution_bot_sweeper_bytes_total", "Bytes of lists that were read, unpacked.")
SWEEPER_CHANGED = Counter("execution_bot_sweeper_changed_total", "Executions that lists showed as changed.")
SWEEPER_COVERED = Gauge("execution_bot_sweeper_covered", "Watched executions that the last round showed unchanged.")
SWEEPER_ROUND_SECONDS = Histogram(
    "execution_bot_sweeper_round_seconds",
    "Time for one reading of the whole list.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300),
)

NOTIFIER_MESSAGES = Counter(
    "execution_bot_notifier_messages_total", "Messages and edits, by kind and result.", ["kind", "result"]
)
NOTIFIER_DELAY_SECONDS = Histogram(
    "execution_bot_notifier_delay_seconds",
    "From the settled change to Slack's receipt, by priority.",
    ["priority"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
NOTIFIER_RECONCILED = Counter(
    "execution_bot_notifier_reconciled_total", "Sends whose outcome was unknown, by how that was settled.", ["settled"]
)
NOTIFIER_WAITS = Counter(
    "execution_bot_notifier_waits_total", "Calls that were put off until their turn, by priority.", ["priority"]
)
NOTIFIER_PAUSES = Counter(
    "execution_bot_notifier_pauses_total", "Times that Slack had everybody stay away, by why.", ["why"]
)
NOTIFIER_BACKLOG_LANES = Gauge("execution_bot_notifier_backlog_lanes", "Subscriptions with something to be told.")
NOTIFIER_DEAD_LETTERS = Counter(
    "execution_bot_notifier_dead_letters_total",
    "Subscriptions that could not be told, by how their owner was.",
    ["owner"],
)

STORE_WITHOUT_REPLICAS = Counter(
    "execution_bot_store_without_replicas_total",
    "Waits in vain for a replica: what was written then, a fail-over may lose.",
)

HANDLERS_REQUESTS = Counter(
    "execution_bot_handlers_requests_total", "Requests from Slack by listener and result.", ["listener", "result"]
)
HANDLERS_ACK_SECONDS = Histogram(
    "execution_bot_handlers_ack_seconds",
    "From the request's arrival to its ack.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3),
)

HANDLERS_ANSWERS = Counter(
    "execution_bot_handlers_answers_total", "Answers through Slack's response_url, by result.", ["result"]
)

SERVICE_SOCKET_CONNECTED = Gauge("execution_bot_service_socket_connected", "1 while Socket Mode is connected.")
