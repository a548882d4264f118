"""The settings: names, defaults and bounds, one docstring each.

Lives here: `Settings`, and reading it from the environment or `.env`. Does not live here: how single values are written
(`bot.settings.values`), sentences about settings that are missing or misspelt (`bot.settings.advice`).

Docstrings are the text of `docs/settings.md`. A setting marked `EXPERT` is documented last, since its default fits.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo

from bot.errors import SettingsInvalid
from bot.network import Network
from bot.settings import advice, sources
from bot.settings.values import (
    CABundle,
    Duration,
    ListenHost,
    PerMinute,
    Port,
    ProxyAddress,
    StateDir,
    StoreAddress,
    Url,
    UrlWithSlash,
    Words,
    all_matching,
    matching,
    skips_names,
    with_bundle,
)

ENV_FILE = Path(".env")


class _Expert:
    """Marks a setting that hardly anybody needs to change."""


EXPERT = _Expert()

_PLAIN = "give it as Huawei Cloud shows it, without spaces and quotation marks"

_UNQUOTED = "[!#-&(-_a-~]"
"""A character of a key or token. A quotation mark is not one: it was copied along, at one end or at both."""


def _huawei(name: str, sdk_name: str) -> AliasChoices:
    """The bot's own name, and the one that Huawei's SDKs read."""
    return AliasChoices(name, f"HUAWEICLOUD_SDK_{sdk_name}")


class Settings(BaseModel):
    """The bot's settings; `load` reads them from the environment and from `.env` in the working directory."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )
    _warnings: tuple[str, ...] = PrivateAttr(default=())

    slack_bot_token: Annotated[
        SecretStr, matching(f"xoxb-{_UNQUOTED}+", "give the Bot User OAuth Token; it begins with xoxb-")
    ]
    """Bot User OAuth Token of the Slack app (OAuth & Permissions → Install), `xoxb-…`."""
    slack_app_token: Annotated[
        SecretStr | None, matching(f"xapp-{_UNQUOTED}+", "give an app-level token; it begins with xapp-")
    ] = None
    """App-level token with the scope `connections:write` (Basic Information → App-Level Tokens), `xapp-…`. Selects
    Socket Mode: the bot connects to Slack and needs no public address. If `SLACK_SIGNING_SECRET` is set too, this token
    wins."""
    slack_signing_secret: Annotated[
        SecretStr | None,
        matching(
            f"(?!xox|xapp){_UNQUOTED}{{8,}}",
            "give the Signing Secret of Basic Information, which is no token, without spaces and quotation marks",
        ),
    ] = None
    """Signing secret of the Slack app (Basic Information). Selects HTTP mode if there is no app-level token: Slack
    calls `POST /slack/events` on `PORT`."""
    slack_api_url: Annotated[UrlWithSlash, EXPERT] = "https://slack.com/api/"
    """Address of Slack's Web API. Change it only for a proxy, GovSlack or the sandbox."""

    allow_guests: bool = False
    """Whether guests of the workspace may use the bot. Without the scope `users:read` the bot cannot recognise them."""
    allow_external: bool = False
    """Whether people of other organisations, who share a channel, may use the bot. They never approve a channel."""
    allowed_users: Annotated[Words, all_matching("[UW][A-Z0-9]+", "give ids of people, which begin with U or W")] = (
        frozenset()
    )
    """Ids of the people who may use the bot (`U…`, separated by commas), besides those of `ALLOWED_USER_GROUPS`. If
    both are empty, all members may. A guest in the list needs `ALLOW_GUESTS` as well."""
    allowed_user_groups: Annotated[Words, all_matching("S[A-Z0-9]+", "give ids of user groups, which begin with S")] = (
        frozenset()
    )
    """Ids of the user groups whose members may use the bot (`S…`). Needs the scope `usergroups:read` and a paid plan.
    While a group cannot be read, nobody is let in through it."""
    allowed_channels: Annotated[Words, all_matching("[CG][A-Z0-9]+", "give ids of channels, which begin with C")] = (
        frozenset()
    )
    """Ids of the channels in which the bot may be used and into which it may write (`C…`). Empty: all. Direct messages
    and the Home tab are always allowed."""

    operators: Annotated[Words, all_matching("[UW][A-Z0-9]+", "give ids of people, which begin with U or W")] = (
        frozenset()
    )
    """Ids of the people who may cancel and retry executions from Slack (`U…`, separated by commas), besides those of
    `OPERATOR_GROUPS`. If both are empty, nobody may. They must be people who may use the bot, and its IAM user needs
    the right to operate executions."""
    operator_groups: Annotated[Words, all_matching("S[A-Z0-9]+", "give ids of user groups, which begin with S")] = (
        frozenset()
    )
    """Ids of the user groups whose members may do so (`S…`). Needs the scope `usergroups:read` and a paid plan. While a
    group cannot be read, nobody may through it."""

    default_language: Annotated[Literal["en", "zh"], BeforeValidator(lambda name: str(name).lower())] = "en"
    """Language of those for whom no other is known: `en`, or `zh` for Simplified Chinese. People read their own where
    the scope `users:read` lets the bot see it, and everybody can choose one with `/execution language`."""

    slack_calls_per_minute: Annotated[PerMinute, EXPERT] = 50
    """At most how many calls per minute to each Slack method that edits cards, opens direct messages or reads channels
    back (Slack's tier 3). All copies of the bot on one store share this limit and the next two."""
    slack_posts_per_minute: Annotated[PerMinute, EXPERT] = 300
    """At most how many messages per minute in the whole workspace. Slack allows "several hundred", without a number."""
    slack_channel_posts_per_minute: Annotated[PerMinute, EXPERT] = 60
    """At most how many messages per minute in one channel, or to one person. Slack allows one per second."""

    gcs_region: Annotated[str, matching(r"[a-z]{2,}(-[a-z]+)+-\d+", "give a region id such as cn-north-4")] = (
        "cn-north-4"
    )
    """Region of GeneContainer Service (GCS): `cn-north-1`, `cn-north-4` or `cn-east-2`; other regions follow the same
    address pattern."""
    gcs_endpoint: Annotated[Url, EXPERT] = Field(
        default_factory=lambda data: f"https://gcs.{data['gcs_region']}.myhuaweicloud.com"
    )
    """Address of GCS. Default: `https://gcs.<GCS_REGION>.myhuaweicloud.com`."""
    iam_endpoint: Annotated[Url, EXPERT] = Field(
        default_factory=lambda data: f"https://iam.{data['gcs_region']}.myhuaweicloud.com"
    )
    """Address of IAM, where a token is issued for a password. Default: `https://iam.<GCS_REGION>.myhuaweicloud.com`."""
    gcs_project_id: Annotated[str | None, matching(r"[\w-]{1,64}", "give the project id of My Credentials")] = Field(
        None, validation_alias=_huawei("GCS_PROJECT_ID", "PROJECT_ID")
    )
    """Project id of the region (My Credentials → Projects). Required if the account has several projects there."""
    gcs_ak: Annotated[SecretStr | None, matching(f"{_UNQUOTED}+", _PLAIN)] = Field(
        None, validation_alias=_huawei("GCS_AK", "AK")
    )
    """Access key of an IAM user that may read executions. With `GCS_SK`, the recommended kind of credentials."""
    gcs_sk: Annotated[SecretStr | None, matching(f"{_UNQUOTED}+", _PLAIN)] = Field(
        None, validation_alias=_huawei("GCS_SK", "SK")
    )
    """Secret key that belongs to `GCS_AK`."""
    gcs_security_token: Annotated[SecretStr | None, matching(f"{_UNQUOTED}+", _PLAIN), EXPERT] = Field(
        None, validation_alias=_huawei("GCS_SECURITY_TOKEN", "SECURITY_TOKEN")
    )
    """Security token that belongs to temporary keys. They are valid for a day at most, so they do not suit a permanent
    bot."""
    gcs_username: str | None = Field(None, validation_alias=_huawei("GCS_USERNAME", "USERNAME"))
    """Name of an IAM user, if you do not want to use keys. Ignored if `GCS_AK` is set."""
    gcs_password: SecretStr | None = Field(None, validation_alias=_huawei("GCS_PASSWORD", "PASSWORD"))
    """Password of that IAM user."""
    gcs_domain: str | None = Field(None, validation_alias=_huawei("GCS_DOMAIN", "DOMAIN"))
    """Name of the account (domain) that the IAM user belongs to."""

    gcs_quota: PerMinute = 600
    """How many calls per minute GCS allows the IAM user. All copies of the bot on one store share them. Set it lower if
    other programs use the same IAM user."""
    gcs_quota_for_people: Annotated[int, Field(ge=0, le=1_000_000), EXPERT] = Field(
        default_factory=lambda data: min(data["gcs_quota"] // 20, 30)
    )
    """How many calls of `GCS_QUOTA` are reserved for people's own commands; at most half. Default: a twentieth, at most
    30."""

    gcs_max_answer_mib: Annotated[int, Field(ge=1, le=32), EXPERT] = 4
    """At most how many MiB of GCS's answer about one execution are read, from 1 to 32. If it is larger, cards show what
    GCS's lists say: all but step counts."""
    person_requests_per_minute: Annotated[PerMinute, EXPERT] = 20
    """How many commands, messages to the bot and presses of buttons per minute each person may make; one and a half
    times as many at once. All copies of the bot on one store count together."""
    subscriptions_per_person: Annotated[int, Field(ge=1, le=100_000), EXPERT] = 100
    """At most how many executions one person may follow. Those that a rule has found do not count."""
    subscriptions_per_channel: Annotated[int, Field(ge=1, le=100_000), EXPERT] = 200
    """At most how many executions one channel may follow. Those that a rule has found do not count."""
    rule_executions: Annotated[int, Field(ge=1, le=10_000), EXPERT] = 200
    """At most how many executions one rule (`/execution subscribe workflow …`) follows at once. Those beyond that are
    not followed, and the person or channel of the rule is notified. One person or channel may have 20 rules."""

    redis_url: StoreAddress = None
    """Address of Redis or Valkey. Without it the bot starts its own server, which keeps its data in `STATE_DIR`;
    several copies of the bot need one server that they share. One server: `redis://[user:password@]host:port[/db]` or
    `unix:///path`. Sentinel: `redis+sentinel://[user:password@]host:port,host:port/service[/db]`, with
    `?sentinel_password=…` if the Sentinels have a password. Cluster:
    `redis+cluster://[user:password@]host:port,host:port`. With TLS: `rediss://`, `rediss+sentinel://`,
    `rediss+cluster://`. The server must not evict keys (`maxmemory-policy noeviction`). Without replicas, set
    `appendonly yes` and `appendfsync always`, or a server that is killed loses data."""
    redis_replicas: Annotated[int | None, Field(ge=0, le=10), EXPERT] = None
    """How many replicas of the store must hold a claim before anything is sent, and a subscription before it is
    confirmed. The bot waits for them for a quarter of a second, then goes on. Default: 1 with Sentinel or a cluster,
    otherwise 0."""
    store_prefix: Annotated[
        str, EXPERT, matching(r"[a-z0-9][a-z0-9_-]{0,31}", "give at most 32 characters of a-z, 0-9, _ and -")
    ] = "xb3"
    """How every key of the store begins. Give each bot its own if several bots (other workspaces, other GCS accounts)
    use one server. Copies of one bot share it. Bots with different prefixes do not share `GCS_QUOTA`."""
    state_dir: StateDir = Path("state")
    """Directory of the bot's own store, relative to the working directory. Not used with `REDIS_URL`."""

    https_proxy: ProxyAddress = None
    """Proxy for Slack (also for Socket Mode), GCS and IAM: `http://[user:password@]host:port`, or `https://…` for
    a proxy that itself has TLS. Redis is reached directly."""
    no_proxy: str = ""
    """Hosts that are reached without the proxy, as curl reads them: names with all names below them, addresses or
    networks (`10.0.0.0/8`), each also with `:port`, separated by commas; `*` for all."""
    ca_bundle: CABundle = None
    """File of certificate authorities (PEM) to trust besides the public ones, for Slack, GCS, IAM and Redis with TLS:
    of a proxy that inspects TLS, for example, or of your company."""

    poll_interval: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(seconds=15)
    """Seconds between two polls of a running execution, from 1 to 3600. If that needs more calls than `GCS_QUOTA`
    allows, each execution is polled less often."""
    max_staleness: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1)), EXPERT] = timedelta(
        hours=2
    )
    """At most how many seconds pass until an execution is polled although GCS's lists show it unchanged, and however
    many others have changed; from 60 to 86400 and no less than `POLL_INTERVAL`. The bot reads lists only while that
    shows changes sooner than polling one execution after the other, that is, with many executions."""
    list_bytes_per_second: Annotated[int, Field(ge=100_000, le=1_000_000_000), EXPERT] = 12_000_000
    """At most how many bytes of lists (uncompressed) are read per second; an execution takes about 4,500 of them."""
    retry_grace: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))] = timedelta(minutes=30)
    """Seconds for which a failed or cancelled execution is still polled, in case it is retried, up to a week; 0 for not
    at all."""

    default_level: Annotated[
        Literal["failures", "final", "milestones", "steps"], BeforeValidator(lambda level: str(level).lower())
    ] = "milestones"
    """The level of those who name none: `failures` (what fails, is slow or near its time limit), `final` (and the
    end), `milestones` (and phases, and each quarter of the steps) or `steps` (and each step)."""

    coalesce: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(minutes=5)), EXPERT] = timedelta(seconds=3)
    """Seconds for which changes of one execution are collected into one message, up to 300. Outcomes never wait."""

    listen_host: ListenHost = "0.0.0.0"  # noqa: S104  # in a container nothing else can be reached; see the docstring
    """Address to listen on for Slack's requests in HTTP mode. `127.0.0.1` lets only a proxy on this machine in."""
    port: Port = 3000
    """Port for Slack's requests in HTTP mode; 0 for any free port."""
    health_host: ListenHost = "127.0.0.1"
    """Address to listen on for `HEALTH_PORT`. Nothing there asks who is calling, so by default only this machine can
    call it; in a container, set `0.0.0.0`, as the image does, or `::` where there is IPv6."""
    health_port: Port = 8080
    """Port of `/livez`, `/readyz` and `/metrics`; 0 for any free port."""
    log_format: Annotated[Literal["json", "text"], BeforeValidator(lambda name: str(name).lower())] = "json"
    """`json` for one object per line, `text` for people."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(lambda level: str(level).lower())
    ] = "info"
    """Least severe level that is logged: `debug`, `info`, `warning` or `error`. The audit trail is logged at every
    level: who asked for what, which subscriptions began and ended, which messages were sent."""

    @classmethod
    def load(cls) -> Self:
        """The settings from the environment and `.env`.

        Raises:
            SettingsInvalid: with every problem that was found.
        """
        _provide_home()
        given = sources.read(os.environ, ENV_FILE, NAMES, SECRETS)
        try:
            settings = cls(**{name.lower(): text for name, text in given.values.items()})
        except SettingsInvalid as error:
            # A problem with the text itself is listed already; pydantic's finding about the same setting adds nothing.
            found = [line for line in error.problems if line.partition(" ")[0] not in given.wrong]
            if not given.is_whole:  # they may be in what could not be read
                found = [line for line in found if " is missing: " not in line]
            raise SettingsInvalid([*found, *given.problems]) from None
        if given.problems:
            raise SettingsInvalid(given.problems)
        settings._warnings = tuple(given.warnings)
        return settings

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is careless about the settings and how they were given, though they can be used."""
        lax = "with ssl_check_hostname off anybody with a certificate of the same authority can pose as the store"
        address = self.redis_url.get_secret_value() if self.redis_url else ""
        found = {
            f"REDIS_URL: {lax}": skips_names(address),
            "NO_PROXY: an entry with :// matches nothing; give the host alone": "://" in self.no_proxy,
        }
        return (*self._warnings, *(sentence for sentence, applies in found.items() if applies))

    @property
    def network(self) -> Network:
        """How to reach Slack, GCS and IAM."""
        return Network(self.https_proxy, self.no_proxy, self.ca_bundle)

    @property
    def store_address(self) -> SecretStr | None:
        """`REDIS_URL` with `CA_BUNDLE`; None for the embedded store."""
        return self.redis_url and SecretStr(with_bundle(self.redis_url.get_secret_value(), self.ca_bundle))

    @property
    def credentials_kind(self) -> Literal["keys", "password"]:
        """How the bot authenticates with GCS: signed requests (preferred), or a token for a password."""
        return "keys" if self.gcs_ak else "password"

    @field_validator("gcs_quota_for_people")
    @classmethod
    def _leaves_calls_to_polls(cls, value: int, info: ValidationInfo) -> int:
        if value > info.data.get("gcs_quota", value * 2) / 2:
            raise ValueError("give half of GCS_QUOTA at most, or polls are late")
        return value

    @field_validator("redis_replicas")
    @classmethod
    def _has_replicas(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value and info.data.get("redis_url", "refused") is None:
            raise ValueError("the bot's own store has none; set REDIS_URL, or leave it out")
        return value

    @field_validator("health_port")
    @classmethod
    def _is_another_port(cls, value: int, info: ValidationInfo) -> int:
        has_port = "slack_app_token" in info.data and info.data["slack_app_token"] is None  # HTTP mode
        if value and has_port and value == info.data.get("port"):
            raise ValueError("it is PORT, on which Slack's requests arrive; give another one")
        return value

    @field_validator("max_staleness")
    @classmethod
    def _covers_one_interval(cls, value: timedelta, info: ValidationInfo) -> timedelta:
        if value < info.data.get("poll_interval", value):
            raise ValueError("it cannot be shorter than POLL_INTERVAL")
        return value

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: dict[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Report what pydantic finds and what settings need of each other as one list of sentences."""
        problems = [*advice.bad_combinations(_given(data))]
        try:
            settings = handler(data)
        except ValidationError as error:
            found = error.errors(include_input=False, include_context=False, include_url=False)
            # The default of another field cannot be derived from a field that is wrong.
            wrong = [item for item in found if item["type"] != "default_factory_not_called"]
            raise SettingsInvalid([*(advice.sentence(item, NAMES) for item in wrong), *problems]) from None
        if problems:
            raise SettingsInvalid(problems)
        return settings


def _provide_home() -> None:
    """Name a home directory where the user has none: slack-sdk asks for one when imported, and does not use it."""
    try:
        Path.home()
    except RuntimeError:
        os.environ["HOME"] = "/nonexistent"


def names_of(name: str, field: FieldInfo) -> list[str]:
    """The environment variables that a field is read from, the bot's own first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [name.upper()]


SECRETS = frozenset(
    names_of(name, field)[0]
    for name, field in Settings.model_fields.items()
    if SecretStr in (field.annotation, *get_args(field.annotation))
)
"""The settings that are secrets, and may be given as files."""

NAMES: dict[str, str] = {
    alias: names_of(name, field)[0]
    for name, field in Settings.model_fields.items()
    for alias in (name.upper(), *names_of(name, field))
}
"""Every variable that is read → the bot's own name for it."""


def _given(data: Mapping[str, Any]) -> set[str]:
    """The bot's own names of the settings that `data` has."""
    return {NAMES[key.upper()] for key, value in data.items() if key.upper() in NAMES and value not in {None, ""}}
