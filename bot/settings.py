"""Every setting of the bot, one docstring each; the only reader of the environment.

Lives here: names, defaults, bounds, which settings belong together, and the sentences that say what to do when one is
wrong. Does not live here: what the settings are used for. Called by `bot.app.cli` and by tests; `python -m
bot.settings` prints `docs/settings.md`.

A secret is a `SecretStr`, and no line of `SettingsInvalid` repeats a value that was given.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    AliasChoices,
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from bot.errors import SettingsInvalid

ENV_FILE = Path(".env")
MOST_PORT = 65535
_LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def _url(text: str) -> str:
    """`text` without its last slash; https, or http on this machine only, since keys travel over it."""
    try:
        parts = urlsplit(text)
    except ValueError:  # its text would repeat the value
        raise ValueError("give an https:// address") from None
    is_safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    if not is_safe or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError("give an https:// address (http:// is for this machine only) without user, query or fragment")
    return text.rstrip("/")


def _seconds(value: Any) -> Any:
    """A duration from a number of seconds."""
    if isinstance(value, timedelta):
        return value
    try:
        return timedelta(seconds=float(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError("give a number of seconds") from None


def _matching(pattern: str, advice: str) -> AfterValidator:
    """A check that the whole text looks like `pattern`; the text itself is never repeated."""

    def check(value: SecretStr | str | None) -> SecretStr | str | None:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and not re.fullmatch(pattern, text):
            raise ValueError(advice)
        return value

    return AfterValidator(check)


_USER = r"([^\s/?#\[\]]*@)?"
_HOST = r"(\[[0-9A-Fa-f:.]+\]|[^\s/?#@:,\[\]]+)(:\d+)?"
_HOSTS = rf"{_USER}{_HOST}(,{_HOST})*"
_STORES = {
    r"rediss?": rf"{_USER}({_HOST})?(/\d*)?",
    r"unix": r"(/[^\s?#]+|[^\s?#]+@/[^\s?#]+)",
    r"rediss?\+sentinel": rf"{_HOSTS}/[^\s/?#@]+(/\d*)?",
    r"rediss?\+cluster": rf"{_HOSTS}/?",
}
"""How addresses of stores go on after `://`; then there may be options, behind a `?`."""


def _store(value: SecretStr | None) -> SecretStr | None:
    """An address that leads to a store; the text itself is never repeated, since it may hold a password."""
    if value is None:
        return None
    text = value.get_secret_value()
    rest = next((rest for kind, rest in _STORES.items() if re.match(rf"{kind}://", text)), None)
    if rest is None:
        raise ValueError(
            "give an address that begins with redis://, rediss:// (TLS) or unix://, with redis+sentinel:// or "
            "redis+cluster:// (rediss+… with TLS)"
        )
    if not re.fullmatch(rf"[a-z+]+://{rest}(\?\S*)?", text):
        raise ValueError(
            "give redis://[user:password@]host:port[/db], unix:///path, redis+sentinel://[user:password@]host:port,…"
            "/service[/db] or redis+cluster://[user:password@]host:port,…; "
            "in a password write / ? # [ ] as %2F %3F %23 %5B %5D"
        )
    hosts = text.partition("://")[2].rpartition("@")[2]
    if any(int(port) > MOST_PORT for port in re.findall(r":(\d+)(?=[,/?]|$)", hosts)):
        raise ValueError(f"ports go up to {MOST_PORT}")
    return value


Duration = Annotated[timedelta, BeforeValidator(_seconds)]
Url = Annotated[str, AfterValidator(_url)]
UrlWithSlash = Annotated[Url, AfterValidator(lambda url: f"{url}/")]
Port = Annotated[int, Field(ge=0, le=MOST_PORT)]


def _huawei(name: str, sdk_name: str) -> AliasChoices:
    """The bot's own name, and the one that Huawei's SDKs read."""
    return AliasChoices(name, f"HUAWEICLOUD_SDK_{sdk_name}")


class Settings(BaseSettings):
    """What the bot is told by its environment, or by a file `.env` beside it; the environment wins."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=ENV_FILE,
        env_ignore_empty=True,
        populate_by_name=True,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )

    slack_bot_token: Annotated[SecretStr, _matching(r"xoxb-\S+", "give the Bot User OAuth Token; it begins with xoxb-")]
    """Bot User OAuth Token of the Slack app (OAuth & Permissions → Install), `xoxb-…`."""
    slack_app_token: Annotated[
        SecretStr | None, _matching(r"xapp-\S+", "give an app-level token; it begins with xapp-")
    ] = None
    """App-level token with `connections:write` (Basic Information → App-Level Tokens), `xapp-…`. Chooses Socket Mode:
    the bot dials out and needs no public address. Wins over `SLACK_SIGNING_SECRET` when both are given."""
    slack_signing_secret: Annotated[
        SecretStr | None, _matching(r"\S{8,}", "give the Signing Secret of Basic Information, without spaces")
    ] = None
    """Signing secret of the Slack app (Basic Information). Chooses HTTP mode when there is no app-level token: Slack
    calls `POST /slack/events` on `PORT`."""
    slack_api_url: UrlWithSlash = "https://slack.com/api/"
    """Address of Slack's Web API. Change it only for a proxy, GovSlack or the sandbox."""

    slack_calls_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Calls a minute of each of the methods with which cards are edited, direct messages opened and channels read back
    (Slack's tier 3). All copies of the bot on one store share it, and the next two."""
    slack_posts_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    """Messages a minute in the whole workspace. Slack allows «several hundred» and does not say how many."""
    slack_channel_posts_per_minute: Annotated[int, Field(ge=1, le=1_000_000)] = 60
    """Messages a minute in one channel, or to one person. Slack allows one a second."""

    gcs_region: Annotated[str, _matching(r"[a-z]{2,}(-[a-z]+)+-\d+", "give a region id such as cn-north-4")] = (
        "cn-north-4"
    )
    """Region of GeneContainer Service: `cn-north-1`, `cn-north-4`, `cn-east-2`; others are addressed by the pattern."""
    gcs_endpoint: Url = Field(default_factory=lambda data: f"https://gcs.{data['gcs_region']}.myhuaweicloud.com")
    """Address of GeneContainer Service. Default: `https://gcs.<GCS_REGION>.myhuaweicloud.com`."""
    iam_endpoint: Url = Field(default_factory=lambda data: f"https://iam.{data['gcs_region']}.myhuaweicloud.com")
    """Address of IAM, where a password is traded for a token. Default: `https://iam.<GCS_REGION>.myhuaweicloud.com`."""
    gcs_project_id: Annotated[str | None, _matching(r"[\w-]{1,64}", "give the project id of My Credentials")] = Field(
        None, validation_alias=_huawei("GCS_PROJECT_ID", "PROJECT_ID")
    )
    """Project id of the region (My Credentials → Projects). Needed where the account has several projects there."""
    gcs_ak: SecretStr | None = Field(None, validation_alias=_huawei("GCS_AK", "AK"))
    """Access key of an IAM user that may read executions. With `GCS_SK`, the recommended kind of credentials."""
    gcs_sk: SecretStr | None = Field(None, validation_alias=_huawei("GCS_SK", "SK"))
    """Secret key that belongs to `GCS_AK`."""
    gcs_security_token: SecretStr | None = Field(None, validation_alias=_huawei("GCS_SECURITY_TOKEN", "SECURITY_TOKEN"))
    """Security token that belongs to temporary keys. Such keys last a day at most: not for a bot that stays up."""
    gcs_username: str | None = Field(None, validation_alias=_huawei("GCS_USERNAME", "USERNAME"))
    """Name of an IAM user, where keys are not wanted. Used only without `GCS_AK`."""
    gcs_password: SecretStr | None = Field(None, validation_alias=_huawei("GCS_PASSWORD", "PASSWORD"))
    """Password of that IAM user."""
    gcs_domain: str | None = Field(None, validation_alias=_huawei("GCS_DOMAIN", "DOMAIN"))
    """Account (domain) name that the IAM user belongs to."""

    gcs_quota: Annotated[int, Field(ge=1, le=1_000_000)] = 600
    """Calls a minute that GeneContainer Service allows the IAM user. All copies of the bot on one store share it; give
    less where other programs use the same IAM user."""
    gcs_quota_for_people: Annotated[int, Field(ge=0, le=1_000_000)] = Field(
        default_factory=lambda data: min(data["gcs_quota"] // 20, 30)
    )
    """Of these, calls that the watch leaves for people's own commands, half of them at most. Default: a twentieth, 30
    at most."""

    redis_url: Annotated[SecretStr | None, AfterValidator(_store)] = None
    """Redis or Valkey. Without it the bot starts its own server, which keeps its data in `STATE_DIR`; several copies of
    the bot need one that they share. One server: `redis://[user:password@]host:port[/db]` or `unix:///path`. The
    master that Sentinels name: `redis+sentinel://[user:password@]host:port,host:port/service[/db]`, with
    `?sentinel_password=…` if they have one. A cluster: `redis+cluster://[user:password@]host:port,host:port`. With TLS:
    `rediss://`, `rediss+sentinel://`, `rediss+cluster://`. The server must not evict keys (`maxmemory-policy
    noeviction`); one without replicas forgets nothing when it is killed only with `appendonly yes` and `appendfsync
    always`."""
    redis_replicas: Annotated[int | None, Field(ge=0, le=10)] = None
    """Replicas of the store that must hold a claim before anything is sent, and a subscription before it is confirmed;
    the bot waits for them a quarter of a second, then goes on. Default: 1 with Sentinels or a cluster, else 0."""
    state_dir: Path = Path("state")
    """Directory of the bot's own store, relative to where it is started. Unused with `REDIS_URL`."""

    poll_interval: Annotated[Duration, Field(ge=timedelta(seconds=1), le=timedelta(hours=1))] = timedelta(seconds=15)
    """Seconds between two looks at a running execution, from 1 to 3600. GeneContainer Service allows 600 calls a
    minute and user (`GCS_QUOTA`); with more executions than that allows, each is looked at less often."""
    max_staleness: Annotated[Duration, Field(ge=timedelta(minutes=1), le=timedelta(days=1))] = timedelta(hours=2)
    """Seconds after which an execution is asked for by itself although the lists show it unchanged, and however
    much news others have, from 60 to 86400 and no shorter than `POLL_INTERVAL`. Lists are read instead of single
    executions where that brings news sooner: with many executions."""
    list_bytes_per_second: Annotated[int, Field(ge=100_000, le=1_000_000_000)] = 12_000_000
    """Bytes of lists (unpacked) that are read in a second at most: an execution takes some 4,500 in each."""
    retry_grace: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(days=7))] = timedelta(minutes=30)
    """Seconds for which a failed or cancelled execution is watched for a retry, up to a week; 0 for not at all."""

    coalesce: Annotated[Duration, Field(ge=timedelta(0), le=timedelta(minutes=5))] = timedelta(seconds=3)
    """Seconds for which changes of one execution are collected into one message, up to 300. Ends never wait."""

    listen_host: str = "0.0.0.0"  # noqa: S104  # in a container nothing else can be reached; see the docstring
    """Address to listen on, for `HEALTH_PORT` and in HTTP mode for `PORT`. `127.0.0.1` keeps both on this machine."""
    port: Port = 3000
    """Port for Slack's requests in HTTP mode; 0 for any free one."""
    health_port: Port = 8080
    """Port of `/livez`, `/readyz` and `/metrics`; 0 for any free one."""
    log_format: Literal["json", "text"] = "json"
    """`json` for one object a line, `text` for people."""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"], BeforeValidator(lambda level: str(level).lower())
    ] = "info"
    """Least important kind of line that is logged: `debug`, `info`, `warning` or `error`."""

    @classmethod
    def load(cls) -> Self:
        """The settings that stand in the environment and in `.env`; `SettingsInvalid` lists every problem."""
        try:
            names = {name.upper() for name in (*os.environ, *dotenv_values(ENV_FILE, interpolate=False))}
        except (OSError, UnicodeError) as error:
            raise SettingsInvalid([f".env cannot be read: {type(error).__name__}"]) from None
        problems = [*_near_misses(names)]
        try:
            settings = cls()
        except SettingsInvalid as error:
            raise SettingsInvalid([*error.problems, *problems]) from None
        if problems:
            raise SettingsInvalid(problems)
        return settings

    @model_validator(mode="wrap")
    @classmethod
    def _all_problems_at_once(cls, data: dict[str, Any], handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Turn what pydantic finds, and what settings need of each other, into one list of sentences."""
        problems = [*_bad_combinations(_given(data))]
        try:
            settings = handler(data)
        except ValidationError as error:
            found = error.errors(include_input=False, include_context=False, include_url=False)
            problems[:0] = [_sentence(item) for item in found if item["type"] != "default_factory_not_called"]
        else:
            problems += _contradictions(settings)
        if problems:
            raise SettingsInvalid(problems)
        return settings

    @property
    def credentials_kind(self) -> Literal["keys", "password"]:
        """How GCS is convinced: requests signed with keys (preferred), or a token for a password."""
        return "keys" if self.gcs_ak else "password"


def names_of(name: str, field: FieldInfo) -> list[str]:
    """The environment variables that a field is read from, the bot's own first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [name.upper()]


NAMES: dict[str, str] = {
    alias: names_of(name, field)[0]
    for name, field in Settings.model_fields.items()
    for alias in (name.upper(), *names_of(name, field))
}
"""Every variable that is read → the bot's own name for it."""


def _given(data: Mapping[str, Any]) -> set[str]:
    """The bot's own names of the settings that `data` has."""
    return {NAMES[key.upper()] for key, value in data.items() if key.upper() in NAMES and value not in {None, ""}}


def _bad_combinations(given: set[str]) -> Iterator[str]:
    """What settings need of each other."""
    if not given & {"SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET"}:
        yield (
            "SLACK_APP_TOKEN is missing: create an app-level token with connections:write for Socket Mode "
            "(or set SLACK_SIGNING_SECRET for HTTP mode)"
        )
    keys, password = {"GCS_AK", "GCS_SK"}, {"GCS_USERNAME", "GCS_PASSWORD", "GCS_DOMAIN"}
    if given & (keys | {"GCS_SECURITY_TOKEN"}):
        yield from (f"{name} is missing: GCS_AK and GCS_SK belong together" for name in sorted(keys - given))
    elif given & password:
        missing = sorted(password - given)
        yield from (f"{name} is missing: a password login needs {', '.join(sorted(password))}" for name in missing)
    else:
        yield (
            "GCS_AK is missing: set GCS_AK and GCS_SK of an IAM user that may read executions "
            "(or GCS_USERNAME, GCS_PASSWORD and GCS_DOMAIN)"
        )


def _contradictions(settings: Settings) -> Iterator[str]:
    """Values that do not go together, each of which would do."""
    if settings.max_staleness < settings.poll_interval:
        yield "MAX_STALENESS is wrong: it cannot be shorter than POLL_INTERVAL"
    if settings.gcs_quota_for_people > settings.gcs_quota / 2:
        yield "GCS_QUOTA_FOR_PEOPLE is wrong: give half of GCS_QUOTA at most, or the watch is late"
    if settings.redis_replicas and settings.redis_url is None:
        yield "REDIS_REPLICAS is wrong: the bot's own store has none; set REDIS_URL, or leave it out"


_WRONG_NAMES = {
    "GCS_ACCESS_KEY": "GCS_AK",
    "GCS_ACCESS_KEY_ID": "GCS_AK",
    "GCS_SECRET_KEY": "GCS_SK",
    "GCS_SECRET_ACCESS_KEY": "GCS_SK",
    "GCS_USER": "GCS_USERNAME",
    "GCS_USER_NAME": "GCS_USERNAME",
    "GCS_DOMAIN_NAME": "GCS_DOMAIN",
    "GCS_PROJECT": "GCS_PROJECT_ID",
    "SLACK_TOKEN": "SLACK_BOT_TOKEN",
    "SLACK_SECRET": "SLACK_SIGNING_SECRET",
}
"""Names that people use elsewhere for the same thing."""


def _near_misses(names: set[str]) -> Iterator[str]:
    """Variables that look like ours, misspelt, where the one that is meant is not set: a default would go unnoticed."""
    given = {NAMES[name] for name in names if name in NAMES}
    for name in sorted(names - NAMES.keys()):
        if not name.startswith(("SLACK_", "GCS_")):
            continue
        meant = _WRONG_NAMES.get(name) or next(iter(get_close_matches(name, NAMES, n=1, cutoff=0.87)), None)
        if meant and NAMES[meant] not in given:
            yield f"{name} is no setting: did you mean {meant}?"


_ADVICE = {
    "SLACK_BOT_TOKEN": "install the app in your workspace and copy its Bot User OAuth Token (xoxb-…)",
}


def _sentence(item: ErrorDetails) -> str:
    """One readable line for one of pydantic's findings; never with the value."""
    key = str(item["loc"][0]).upper() if item["loc"] else ""
    name = NAMES.get(key, key)
    if item["type"] == "missing":
        return f"{name} is missing: {_ADVICE.get(name, 'see docs/settings.md')}"
    text = item["msg"].removeprefix("Value error, ")
    return f"{name} is wrong: {text[:1].lower()}{text[1:]}"


def _shown(field: FieldInfo) -> str:
    """A field's default, as one would type it."""
    if field.is_required():
        return "**required**"
    if field.default is None or field.default_factory:
        return ""
    if isinstance(field.default, timedelta):
        return f"`{field.default.total_seconds():g}`"
    return f"`{field.default}`"


def reference() -> str:
    """`docs/settings.md`, written from the settings themselves."""
    lines = [
        "# Settings",
        "",
        "Set them in the environment, or in a file `.env` where the bot is started; the environment wins, and an empty",
        "variable counts as not set. All that is wrong is reported at once when the bot starts; `execution-bot check`",
        "then tries what was given. This page is written by `python -m bot.settings > docs/settings.md`.",
        "",
        "Needed in any case: `SLACK_BOT_TOKEN`; one of `SLACK_APP_TOKEN` and `SLACK_SIGNING_SECRET`; and `GCS_AK` with",
        "`GCS_SK`, or `GCS_USERNAME` with `GCS_PASSWORD` and `GCS_DOMAIN` (keys win when both are given).",
        "",
        "| name | default | meaning |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        own, *others = names_of(name, field)
        also = f" Also read from `{'`, `'.join(others)}`." if others else ""
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `{own}` | {_shown(field)} | {meaning}{also} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(reference())
