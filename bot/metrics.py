"""Every metric of the bot, declared in one place.

Lives here: names, help texts, labels and buckets. Names are `execution_bot_<part>_<thing>_<unit|total>`. A label has
few values by construction: never an id, never foreign text. Does not live here: when a metric changes (the part that
it names), how metrics are served (`bot.app.health`). Called by all parts of the bot.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

GCS_CALLS = Counter("execution_bot_gcs_calls_total", "Calls to GCS by outcome.", ["outcome"])
GCS_CALL_SECONDS = Histogram("execution_bot_gcs_call_seconds", "Time until the response of GCS was complete.")
GCS_TOKENS = Counter("execution_bot_gcs_tokens_total", "IAM tokens fetched.")

WATCHER_POLLS = Counter("execution_bot_watcher_polls_total", "Polls of executions, by result.", ["result"])
WATCHER_CHANGES = Counter("execution_bot_watcher_changes_total", "Changes stored and queued, by kind.", ["kind"])
WATCHER_LATE_SECONDS = Histogram(
    "execution_bot_watcher_late_seconds",
    "Time from the due time of a poll to the poll.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
WATCHER_STOPPED = Gauge("execution_bot_watcher_stopped", "1 while GCS refuses the credentials and polls are stopped.")

WATCHER_EXECUTIONS = Gauge("execution_bot_watcher_executions", "Executions watched; counted only while lists are read.")

SWEEPER_ACTIVE = Gauge(
    "execution_bot_sweeper_active", "1 while this process reads lists because that costs fewer calls."
)
SWEEPER_PAGES = Counter("execution_bot_sweeper_pages_total", "Pages of lists read.")
SWEEPER_BYTES = Counter("execution_bot_sweeper_bytes_total", "Bytes of lists read, after decompression.")
SWEEPER_CHANGED = Counter("execution_bot_sweeper_changed_total", "Executions that a list showed as changed.")
SWEEPER_COVERED = Gauge(
    "execution_bot_sweeper_covered", "Watched executions that the last round of lists showed as unchanged."
)
SWEEPER_ROUND_SECONDS = Histogram(
    "execution_bot_sweeper_round_seconds",
    "Time for one round through all pages of the lists.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300),
)

NOTIFIER_MESSAGES = Counter(
    "execution_bot_notifier_messages_total", "Messages and edits, by kind and result.", ["kind", "result"]
)
NOTIFIER_DELAY_SECONDS = Histogram(
    "execution_bot_notifier_delay_seconds",
    "Time from a stored change to the response of Slack, by priority.",
    ["priority"],
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 900, 3600),
)
NOTIFIER_RECONCILED = Counter(
    "execution_bot_notifier_reconciled_total", "Sends with an unknown outcome, by how it was found out.", ["settled"]
)
NOTIFIER_WAITS = Counter(
    "execution_bot_notifier_waits_total", "Calls deferred by a limit of Slack, by priority.", ["priority"]
)
NOTIFIER_PAUSES = Counter("execution_bot_notifier_pauses_total", "Pauses of calls to Slack, by cause.", ["why"])
NOTIFIER_HELD = Counter(
    "execution_bot_notifier_held_total", "Deliveries to channels that wait because of who reads there.", ["why"]
)
NOTIFIER_BACKLOG_LANES = Gauge("execution_bot_notifier_backlog_lanes", "Subscriptions with undelivered changes.")
NOTIFIER_DEAD_LETTERS = Counter(
    "execution_bot_notifier_dead_letters_total",
    "Subscriptions ended because Slack could not deliver, by whether their owner could be notified.",
    ["owner"],
)

BRAKE_REFUSED = Counter(
    "execution_bot_brake_refused_total",
    "Endings that the brake stopped, each try counted, by the vendor who gave the reason.",
    ["vendor"],
)
BRAKE_WAITING = Gauge(
    "execution_bot_brake_waiting",
    "What would end but for the brake, by the vendor who gave the reason; 0 while the brake is off.",
    ["vendor"],
)

STORE_WITHOUT_REPLICAS = Counter(
    "execution_bot_store_without_replicas_total",
    "Writes that too few replicas confirmed in time; a fail-over may lose them.",
)
STORE_UNREADABLE = Counter(
    "execution_bot_store_unreadable_total",
    "Rows of the store that could not be read, which another version may have written, by what they hold.",
    ["record"],
)
STORE_ENGINE_UP = Gauge("execution_bot_store_engine_up", "1 while the embedded store responds; 0 with REDIS_URL, too.")
STORE_ENGINE_RESTARTS = Counter(
    "execution_bot_store_engine_restarts_total", "Starts of the embedded store because it had ended or did not respond."
)

HANDLERS_REQUESTS = Counter(
    "execution_bot_handlers_requests_total", "Requests from Slack by listener and result.", ["listener", "result"]
)
HANDLERS_NOT_ALLOWED = Counter(
    "execution_bot_handlers_not_allowed_total", "Requests of people who may not use the bot, by reason.", ["reason"]
)
HANDLERS_ACK_SECONDS = Histogram(
    "execution_bot_handlers_ack_seconds",
    "Time from the arrival of a request to its ack.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3),
)

SLACK_RESPONSES = Counter(
    "execution_bot_slack_responses_total", "Replies through a response_url of Slack, by result.", ["result"]
)

SLACK_FAILURES = Counter(
    "execution_bot_slack_failures_total",
    "Failed calls to Slack by method and Slack's code; `unknown` for a code that the bot does not know.",
    ["method", "code"],
)

SERVICE_CONNECTIONS_CUT = Counter(
    "execution_bot_service_connections_cut_total", "Connections closed because there were too many on a port."
)
SERVICE_SOCKET_CONNECTED = Gauge("execution_bot_service_socket_connected", "1 while Socket Mode is connected.")
