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
GCS_QUOTA_CALLS = Gauge(
    "execution_bot_gcs_quota_calls",
    "Calls of the quota that all copies have `used` within the window, and that are `left`; read once a minute.",
    ["state"],
)
GCS_QUOTA_PAUSED_SECONDS = Gauge(
    "execution_bot_gcs_quota_paused_seconds",
    "How long nobody calls GCS because it said that the quota is used up; read once a minute.",
)

WATCHER_POLLS = Counter("execution_bot_watcher_polls_total", "Polls of executions, by result.", ["result"])
WATCHER_CHANGES = Counter("execution_bot_watcher_changes_total", "Changes stored and queued, by kind.", ["kind"])
WATCHER_LATE_SECONDS = Histogram(
    "execution_bot_watcher_late_seconds",
    "Time from the due time of a poll to the poll.",
    buckets=(0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 900),
)
WATCHER_STOPPED = Gauge("execution_bot_watcher_stopped", "1 while GCS refuses the credentials and polls are stopped.")

WATCHER_EXECUTIONS = Gauge(
    "execution_bot_watcher_executions", "Executions that are polled; counted once a minute and while lists are read."
)
WATCHER_DETECTION_SECONDS = Histogram(
    "execution_bot_watcher_detection_seconds",
    "Time from the moment that GCS says an execution was updated until the change is stored.",
    buckets=(1, 2, 5, 10, 15, 30, 60, 120, 300, 900, 3600),
)
WATCHER_SUBSCRIPTIONS = Gauge(
    "execution_bot_watcher_subscriptions", "Subscriptions to executions that are polled; counted once a minute."
)

SWEEPER_ACTIVE = Gauge(
    "execution_bot_sweeper_active", "1 while this process reads lists because that costs fewer calls."
)
SWEEPER_PAGES = Counter("execution_bot_sweeper_pages_total", "Pages of lists read.")
SWEEPER_BYTES = Counter("execution_bot_sweeper_bytes_total", "Bytes of lists read, after decompression.")
SWEEPER_CHANGED = Counter("execution_bot_sweeper_changed_total", "Executions that a list showed as changed.")
SWEEPER_COVERED = Gauge(
    "execution_bot_sweeper_covered", "Followed executions that lists showed as unchanged when all were last compared."
)
SWEEPER_ROUND_SECONDS = Histogram(
    "execution_bot_sweeper_round_seconds",
    "Time for one round through all pages of the lists.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300),
)
SWEEPER_RULES = Gauge("execution_bot_sweeper_rules", "Rules for which this process looks for new executions.")
SWEEPER_FOUND_SECONDS = Histogram(
    "execution_bot_sweeper_found_seconds",
    "Time from the creation of an execution until a rule has it followed.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 90, 120, 300, 900, 3600),
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
    "execution_bot_notifier_held_total", "Deliveries that wait because of who would read them.", ["why"]
)
NOTIFIER_OLDEST_SECONDS = Gauge(
    "execution_bot_notifier_oldest_seconds",
    "Age of the oldest undelivered change, by priority in the outbox; read once a minute.",
    ["priority"],
)
NOTIFIER_DEAD_LETTERS_KEPT = Gauge(
    "execution_bot_notifier_dead_letters_kept", "Dead letters in the store; counted once a minute."
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

POOL_ITEMS_FAILED = Counter(
    "execution_bot_pool_items_failed_total",
    "Executions or lanes that a worker gave up because of an unexpected error.",
    ["worker"],
)

STORE_SECONDS = Histogram(
    "execution_bot_store_seconds",
    "Time for one round trip of scripts to the store.",
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5),
)
STORE_ERRORS = Counter(
    "execution_bot_store_errors_total", "Commands that the store refused or did not answer, by kind.", ["kind"]
)
STORE_DISK_FREE_BYTES = Gauge(
    "execution_bot_store_disk_free_bytes", "Free space where the embedded store writes; 0 with REDIS_URL."
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
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10),
)

SLACK_RESPONSES = Counter(
    "execution_bot_slack_responses_total", "Replies through a response_url of Slack, by result.", ["result"]
)

SLACK_FAILURES = Counter(
    "execution_bot_slack_failures_total",
    "Failed calls to Slack by method and Slack's code; `unknown` for a code that the bot does not know.",
    ["method", "code"],
)

SLACK_REFUSED_REQUESTS = Counter(
    "execution_bot_slack_refused_requests_total",
    "Requests that were not served because they are not Slack's or cannot be read, by reason.",
    ["reason"],
)

SERVICE_CONNECTIONS_CUT = Counter(
    "execution_bot_service_connections_cut_total", "Connections closed because there were too many on a port."
)
SERVICE_SOCKET_CONNECTED = Gauge("execution_bot_service_socket_connected", "1 while Socket Mode is connected.")
SERVICE_SOCKET_REBUILDS = Counter(
    "execution_bot_service_socket_rebuilds_total", "Sockets of Socket Mode replaced because they stayed silent."
)

LAST_SUCCESS = Gauge(
    "execution_bot_last_success_timestamp_seconds",
    "When the last call to `gcs`, `slack` or the `store`, or the last request from Slack (`inbound`), succeeded.",
    ["door"],
)
CLOCK_OFFSET_SECONDS = Gauge(
    "execution_bot_clock_offset_seconds",
    "How far the clock of `slack`, `gcs` or the `store` is ahead of this machine's.",
    ["server"],
)
BUILD_INFO = Gauge(
    "execution_bot_build_info", "1; the labels name the versions of bot and Python.", ["version", "python"]
)
