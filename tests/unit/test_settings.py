"""What is read, what is refused with which advice, and that no secret is repeated."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from bot.errors import SettingsInvalid
from bot.settings import NAMES, Settings
from bot.settings.fields import EXPERT, SECRETS
from bot.settings.page import reference

MINIMAL = {
    "SLACK_BOT_TOKEN": "xoxb-1-secret",
    "SLACK_APP_TOKEN": "xapp-1-secret",
    "GCS_AK": "AKONE",
    "GCS_SK": "sk-secret",
}


CONTAINER = {
    "PATH": "/usr/bin",
    "HOSTNAME": "execution-bot-5d9c7-x2x4q",
    "HOME": "/nonexistent",
    "LANG": "C.UTF-8",
    "TZ": "Asia/Shanghai",
    "PYTHON_VERSION": "3.13.5",
    "PYTHON_SHA256": "0",
    "GPG_KEY": "0",
    "HTTP_PROXY": "http://proxy:3128",
    "ALL_PROXY": "http://proxy:3128",
    "SSL_CERT_FILE": "/etc/ssl/cert.pem",
    "REQUESTS_CA_BUNDLE": "/etc/ssl/cert.pem",
    "AWS_CA_BUNDLE": "/etc/ssl/cert.pem",
    "CURL_CA_BUNDLE": "/etc/ssl/cert.pem",
    "KUBERNETES_PORT": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP": "tcp://10.96.0.1:443",
    "KUBERNETES_PORT_443_TCP_ADDR": "10.96.0.1",
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT_HTTPS": "443",
    "EXECUTION_BOT_PORT": "tcp://10.96.0.9:3000",
    "EXECUTION_BOT_SERVICE_PORT_HEALTH": "8080",
    "REDIS_PORT": "tcp://10.96.0.7:6379",
    "REDIS_PORT_6379_TCP_PROTO": "tcp",
    "REDIS_SERVICE_HOST": "10.96.0.7",
    "REDIS_HOST": "redis",
    "REDIS_TLS_URL": "rediss://h:6380",
    "HEALTHZ_PORT": "tcp://10.96.0.8:80",
    "STATE_DIRECTORY": "/var/lib/bot",
    "LISTEN_FDS": "0",
    "LOGNAME": "bot",
    "PGPORT": "5432",
    "HTTP_PORT": "80",
    "NODE_PORT": "30000",
    "SLACK_CLIENT_ID": "1",
    "SLACK_APP_ID": "A1",
    "GCS_BUCKET": "b",
    "HEALTH_PORT": "tcp://10.96.0.8:80",  # a service that is called health
    "GCP_REGION": "europe-west1",
    "GCP_PROJECT_ID": "b",
    "ECS_REGION": "cn-north-4",
    "HUAWEICLOUD_SDK_DOMAIN_ID": "0",
    "HUAWEICLOUD_SDK_PROJECT_NAME": "cn-north-4",
    "SLACK_API_TOKEN": "xoxb-of-another-program",
    "GO_PROXY": "https://proxy.example.com",
}
"""What stands in the environment of containers and of services, and is not meant for the bot."""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without any of the bot's variables, in an empty directory."""
    monkeypatch.chdir(tmp_path)
    for name in [*NAMES, *(f"{name}_FILE" for name in SECRETS)]:
        monkeypatch.delenv(name, raising=False)


def load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> Settings:
    """Settings from the minimal environment with `changes`; None removes a variable."""
    for name, value in (MINIMAL | changes).items():
        if value is not None:
            monkeypatch.setenv(name, value)
    return Settings.load()


def problems(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> list[str]:
    """The problems that are reported for a wrong environment."""
    with pytest.raises(SettingsInvalid) as caught:
        load(monkeypatch, **changes)
    return caught.value.problems


def test_four_variables_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two Slack tokens and a pair of keys start the bot; everything else has a default."""
    settings = load(monkeypatch)
    assert settings.slack_app_token is not None
    assert settings.credentials_kind == "keys"
    assert settings.poll_interval == timedelta(seconds=15)
    assert settings.retry_grace == timedelta(minutes=30)
    assert settings.redis_url is None
    assert settings.slack_api_url == "https://slack.com/api/"


def test_the_region_gives_the_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    """GCS and IAM are addressed in the region that is set, also in one that the bot does not know."""
    settings = load(monkeypatch, GCS_REGION="ap-southeast-3")
    assert settings.gcs_endpoint == "https://gcs.ap-southeast-3.myhuaweicloud.com"
    assert settings.iam_endpoint == "https://iam.ap-southeast-3.myhuaweicloud.com"


def test_an_endpoint_wins_over_the_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """An explicit address is used as it is, without its last slash; plain http only on this machine."""
    assert load(monkeypatch, GCS_ENDPOINT="http://127.0.0.1:9000/").gcs_endpoint == "http://127.0.0.1:9000"
    (line,) = problems(monkeypatch, GCS_ENDPOINT="http://gcs.example.com")
    assert line.startswith("GCS_ENDPOINT is wrong: give an https:// address")


def test_all_problems_come_at_once() -> None:
    """For an empty environment everything that is missing is reported, one line each, with what to do."""
    with pytest.raises(SettingsInvalid) as caught:
        Settings.load()
    assert [line.split(":")[0] for line in caught.value.problems] == [
        "SLACK_BOT_TOKEN is missing",
        "SLACK_APP_TOKEN is missing",
        "GCS_AK is missing",
    ]
    assert all(len(line) > 60 for line in caught.value.problems)


def test_wrong_values_and_missing_partners_come_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong region does not hide a missing key, and the addresses derived from it are not reported."""
    lines = problems(monkeypatch, GCS_REGION="Beijing", GCS_SK=None, PORT="70000")
    assert [line.split(":")[0] for line in lines] == ["GCS_REGION is wrong", "PORT is wrong", "GCS_SK is missing"]


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "REDIS_URL", "PORT"])
def test_a_wrong_value_is_never_repeated(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Whatever was put into the wrong variable, the problem does not show it."""
    error = SettingsInvalid(problems(monkeypatch, **{name: "hunter2 hunter2"}))
    assert "hunter2" not in str(error)
    assert name in str(error)


@pytest.mark.parametrize(
    "address",
    [
        "redis://localhost",
        "redis://:p@ss%2Fword@10.0.0.1:6379/3?health_check_interval=10",
        "rediss://user:pw@[::1]:6380",
        "unix:///run/valkey.sock?db=1",
        "unix://user:pw@/run/valkey.sock",
        "redis+sentinel://s1:26379,s2:26379,s3/bot",
        "rediss+sentinel://user:pw@s1:26379,[::1]:26379/bot/2?sentinel_password=other",
        "redis+cluster://n1:6379,n2:6379",
        "rediss+cluster://user:pw@n1:6379/",
    ],
)
def test_every_kind_of_store_address_is_accepted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """One server, Sentinels and clusters, with and without user, port, database and options."""
    url = load(monkeypatch, REDIS_URL=address).redis_url
    assert url is not None
    assert url.get_secret_value() == address


@pytest.mark.parametrize(
    ("address", "advice"),
    [
        ("http://:hunter2@host", "begins with redis://"),
        ("redis+proxy://:hunter2@host", "begins with redis://"),
        ("redis://:hunter2/x@host:6379", "%2F"),
        ("redis://:hunter2[x@host:6379", "%5B"),
        ("redis://:hunter2@host:66666", "ports go up to 65535"),
        ("redis://:hunter2@one,two", "redis+cluster://"),
        ("redis://:hunter2@host/service", "[/db]"),
        ("redis+sentinel://:hunter2@s1,s2", "/service[/db]"),
        ("redis+sentinel://:hunter2@s1,,s2/bot", "/service[/db]"),
        ("redis+sentinel://:hunter2@s1/bot/first", "/service[/db]"),
        ("redis+cluster://:hunter2@n1/2", "redis+cluster://"),
        ("unix://:hunter2@host", "unix"),
        ("rediss://:hunter2@host?ssl_cert_reqs=none", "CA_BUNDLE"),
        ("rediss+cluster://:hunter2@host?x=1&ssl_cert_reqs=optional", "CA_BUNDLE"),
    ],
)
def test_a_wrong_store_address_is_one_problem(monkeypatch: pytest.MonkeyPatch, address: str, advice: str) -> None:
    """It says what to give instead, and never repeats what was given."""
    (line,) = problems(monkeypatch, REDIS_URL=address)
    assert line.startswith("REDIS_URL is wrong: ")
    assert advice in line
    assert "hunter2" not in line


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither `repr` nor JSON of the settings shows a secret."""
    settings = load(monkeypatch, REDIS_URL="redis://:db-secret@127.0.0.1:6379/0", GCS_PASSWORD="pw-secret")
    assert "secret" not in repr(settings).replace("signing_secret", "").replace("SecretStr", "")
    assert "-secret" not in settings.model_dump_json()


def test_huaweis_own_names_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys that are set for Huawei's SDKs need not be set twice."""
    settings = load(
        monkeypatch,
        GCS_AK=None,
        GCS_SK=None,
        HUAWEICLOUD_SDK_AK="AKTWO",
        HUAWEICLOUD_SDK_SK="x",
        HUAWEICLOUD_SDK_PROJECT_ID="p1",
    )
    assert settings.gcs_ak is not None
    assert settings.gcs_ak.get_secret_value() == "AKTWO"
    assert settings.gcs_project_id == "p1"


def test_a_password_login_needs_all_three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name, password and account are needed together; the missing one is named."""
    (line,) = problems(monkeypatch, GCS_AK=None, GCS_SK=None, GCS_USERNAME="bot", GCS_PASSWORD="pw")
    assert line.startswith("GCS_DOMAIN is missing")
    monkeypatch.setenv("GCS_DOMAIN", "lab")
    assert Settings.load().credentials_kind == "password"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GCS_ACCESS_KEY", "GCS_AK"),
        ("GCS_REGOIN", "GCS_REGION"),
        ("SLACK_SIGNING_SECERT", "SLACK_SIGNING_SECRET"),
        ("REDIS_URI", "REDIS_URL"),
        ("VALKEY_URL", "REDIS_URL"),
        ("REDIS_ADDR", "REDIS_URL"),
        ("POLL_INTERVALL", "POLL_INTERVAL"),
        ("LOGLEVEL", "LOG_LEVEL"),
        ("HEALTHPORT", "HEALTH_PORT"),
        ("HTTPSPROXY", "HTTPS_PROXY"),
        ("CA_BUNDEL", "CA_BUNDLE"),
        ("REDIS_URL_FIEL", "REDIS_URL_FILE"),
        ("GCS_PROJECT_ID_FILE", "GCS_PROJECT_ID"),
        ("State_Dri", "STATE_DIR"),
    ],
)
@pytest.mark.parametrize("is_in_file", [True, False])
def test_a_misspelt_name_is_reported(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, meant: str, is_in_file: bool
) -> None:
    """A variable that resembles one of ours which is not set is not ignored silently, wherever it stands."""
    changes = {"GCS_AK": None} if meant == "GCS_AK" else {}
    given = {} if is_in_file else {name: "cn-north-1"}
    if is_in_file:
        (tmp_path / ".env").write_text(f"{name}=cn-north-1")
    assert f"{name.upper()} is no setting: did you mean {meant}?" in problems(monkeypatch, **changes, **given)


def test_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a normal container has in its environment is no problem, and changes nothing."""
    for name in os.environ:
        monkeypatch.delenv(name)
    assert load(monkeypatch, **CONTAINER) == load(monkeypatch)


def test_unknown_names_in_dotenv_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody but the bot reads the file, except for Docker Compose; a twin of a setting is refused as well."""
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=x\nSTORE_PASSWORD=x\nHTTP_PROXY=x\nREDIS_URI=y\nTZ=UTC\n")
    lines = problems(monkeypatch, REDIS_URL="redis://host")
    assert [line.partition(" in .env is no setting")[0] for line in lines] == ["HTTP_PROXY", "REDIS_URI", "TZ"]


def test_a_broken_line_in_dotenv_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A quotation mark that does not end would swallow what follows."""
    (tmp_path / ".env").write_text("LOG_LEVEL=info\nGCS_PROJECT_ID='abc\nPORT=1\n")
    assert ".env cannot be read at line 2" in problems(monkeypatch)


@pytest.mark.parametrize("value", ["pa${HOME}ss", "$GCS_AK", "a#b", "{x}%20"])
def test_secrets_are_taken_literally(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str) -> None:
    """Nothing is replaced in a value of `.env`."""
    (tmp_path / ".env").write_text(f"GCS_SK={value}\n")
    assert load(monkeypatch, GCS_SK=None).gcs_sk == SecretStr(value)


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "GCS_AK", "GCS_SK", "POLL_INTERVAL", "REDIS_URL"])
def test_white_space_around_a_value_is_dropped(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A newline behind a secret, as `kubectl create secret --from-file` brings it, does not count."""
    value = (MINIMAL | {"POLL_INTERVAL": "20", "REDIS_URL": "redis://h"})[name]
    assert load(monkeypatch, **{name: f" {value}\r\n"}) == load(monkeypatch, **{name: value})


@pytest.mark.parametrize("name", ["GCS_AK", "GCS_SK", "SLACK_BOT_TOKEN", "GCS_ENDPOINT", "GCS_USERNAME", "REDIS_URL"])
@pytest.mark.parametrize("inside", ["\r\nX-Y: z", "\x1b", "\u200b", "\ufeff", "\u2028"])
def test_invisible_characters_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, inside: str) -> None:
    """They come from copying; in a header they would end the line. One problem, with the name."""
    value = (MINIMAL | {"GCS_ENDPOINT": "https://gcs.x", "REDIS_URL": "redis://h"}).get(name, "hunter2")
    lines = problems(monkeypatch, **{name: f"{value}{inside}z"})
    assert lines == [f"{name} is wrong: it contains a line break or an invisible character; remove it"]


@pytest.mark.parametrize("quote", ["'", '"'])
def test_quotation_marks_around_a_value_are_refused(monkeypatch: pytest.MonkeyPatch, quote: str) -> None:
    """`docker run --env-file` passes them on, and a key with quotes is another key."""
    (line,) = problems(monkeypatch, GCS_SK=f"{quote}hunter2{quote}")
    assert line == "GCS_SK is wrong: it is in quotation marks, which count as part of it; remove them"


def test_every_secret_may_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each has a `_FILE`; white space at the end of the file does not count, quotation marks do."""
    values = dict.fromkeys(SECRETS, "hunter2-'x'") | MINIMAL
    values |= {"REDIS_URL": "redis://:p@h", "HTTPS_PROXY": "http://u:p@h:1", "GCS_PASSWORD": "'quoted'"}
    for name in SECRETS:
        (tmp_path / name).write_text(f"{values[name]}\r\n")
        (tmp_path / name).chmod(0o600)
    files = {f"{name}_FILE": name for name in SECRETS}
    settings = load(monkeypatch, **dict.fromkeys(MINIMAL), **files)
    found = {name: getattr(settings, name.lower()).get_secret_value() for name in SECRETS}
    assert found == {name: values[name] for name in SECRETS}
    assert not settings.warnings


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "GCS_SK_FILE is wrong: the file cannot be read (No such file or directory)"),
        (b"", "GCS_SK_FILE is wrong: the file is empty"),
        (b"\n", "GCS_SK_FILE is wrong: the file is empty"),
        (b"\xff\xfe", "GCS_SK_FILE is wrong: the file cannot be read (UnicodeDecodeError)"),
        (b"one\ntwo", "GCS_SK_FILE is wrong: it contains a line break or an invisible character; remove it"),
    ],
)
def test_a_wrong_file_is_one_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """A file that is missing, empty, no text or has several lines, by name."""
    if content is not None:
        (tmp_path / "sk").write_bytes(content)
    assert problems(monkeypatch, GCS_SK=None, GCS_SK_FILE="sk") == [problem]


@pytest.mark.parametrize(("make", "kind"), [(os.mkfifo, "it is no regular file"), (os.mkdir, "it is a directory")])
def test_what_is_no_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make: Callable[[Path], None], kind: str
) -> None:
    """A pipe would be waited for without end; Docker makes a directory where the file to mount is missing."""
    for name in ("sk", "ca", ".env"):
        make(tmp_path / name)
    assert problems(monkeypatch, GCS_SK=None, GCS_SK_FILE="sk", CA_BUNDLE="ca") == [
        "CA_BUNDLE is wrong: it is a directory, or no regular file",
        f".env cannot be read: {kind}",
        f"GCS_SK_FILE is wrong: the file cannot be read ({kind})",
    ]


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("GCS_QUOTA", "many", "give a whole number"),
        ("HEALTH_PORT", "80.5", "give a whole number"),
        ("ALLOW_GUESTS", "perhaps", "give true or false"),
        ("GCS_ENDPOINT", "https://gcs:port", "give an https:// address"),
        ("SLACK_API_URL", "https://slack.com:99999/api", "give an https:// address"),
    ],
)
def test_a_wrong_type_is_said_plainly(monkeypatch: pytest.MonkeyPatch, name: str, value: str, advice: str) -> None:
    """In words for operators, not in those of the library that reads it."""
    assert problems(monkeypatch, **{name: value}) == [f"{name} is wrong: {advice}"]


def test_value_and_file_together_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody could say which of the two counts."""
    (tmp_path / "sk").write_text("x")
    assert problems(monkeypatch, GCS_SK_FILE="sk") == ["GCS_SK and GCS_SK_FILE are both set: keep one of them"]


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o640, False), (0o644, True), (0o666, True)])
def test_open_files_are_warned_of(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, mode: int, is_open: bool) -> None:
    """`.env` and the file of a secret, if other users can read them; both are used all the same."""
    (tmp_path / "sk").write_text("x")
    (tmp_path / ".env").write_text("GCS_SK_FILE=sk\n")
    for name in ("sk", ".env"):
        (tmp_path / name).chmod(mode)
    warnings = load(monkeypatch, GCS_SK=None).warnings
    assert [warning.partition(" is open")[0] for warning in warnings] == [".env", "the file of GCS_SK_FILE"][
        : 2 * is_open
    ]


def test_an_unchecked_name_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """The store's certificate may belong to another server then."""
    (warning,) = load(monkeypatch, REDIS_URL="rediss://:p@h?ssl_check_hostname=False").warnings
    assert "pose as the store" in warning


def test_durations_are_said_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sentence has Python's own notation."""
    (short,), (long,) = (
        problems(monkeypatch, POLL_INTERVAL="0.5"),
        problems(monkeypatch, POLL_INTERVAL="15", RETRY_GRACE="1e6"),
    )
    assert short == "POLL_INTERVAL is wrong: input should be greater than or equal to 1 seconds"
    assert long == "RETRY_GRACE is wrong: input should be less than or equal to 604800 seconds"


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy"])
@pytest.mark.parametrize(
    ("given", "used"),
    [
        ("proxy:3128", "http://proxy:3128"),
        ("https://u:p%40@proxy/", "https://u:p%40@proxy"),
        ("http://[::1]:1", "http://[::1]:1"),
    ],
)
def test_a_proxys_address_is_read(monkeypatch: pytest.MonkeyPatch, name: str, given: str, used: str) -> None:
    """With and without scheme and user, under a name in small letters, too."""
    assert load(monkeypatch, **{name: given}).https_proxy == SecretStr(used)


def test_a_bundle_without_certificates_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The bot does not start without an authority that it was told to trust."""
    (tmp_path / "ca.pem").write_text("nothing")
    assert problems(monkeypatch, CA_BUNDLE="ca.pem") == [
        "CA_BUNDLE is wrong: the file holds no certificates in PEM format"
    ]


def test_the_bundle_joins_the_stores_address(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the store has TLS and names no authority of its own."""
    bundle = tmp_path / "c a.pem"
    trustme.CA().cert_pem.write_to_path(str(bundle))
    for url, added in {
        "rediss://h": f"?ssl_ca_certs={quote(str(bundle))}",
        "rediss+cluster://a,b?x=1": f"&ssl_ca_certs={quote(str(bundle))}",
        "rediss://h?ssl_ca_certs=/own": "",
        "redis://h": "",
    }.items():
        assert load(monkeypatch, REDIS_URL=url, CA_BUNDLE=str(bundle)).store_address == SecretStr(url + added)


def test_a_user_without_a_home_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container may run under any user id; slack-sdk asks for a home directory when it is imported."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    load(monkeypatch)
    assert Path.home() == Path("/nonexistent")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POLL_INTERVAL", "0.5"),
        ("POLL_INTERVAL", "nan"),
        ("POLL_INTERVAL", "7200"),
        ("LISTEN_HOST", "203.0.113.7"),
        ("HTTPS_PROXY", "socks5://proxy:1080"),
        ("HTTPS_PROXY", "proxy:99999"),
        ("HTTPS_PROXY", "http://proxy/path"),
        ("CA_BUNDLE", "nowhere.pem"),
        ("GCS_AK", "AK ONE"),
        ("SLACK_BOT_TOKEN", "xoxb-…"),
        ("RETRY_GRACE", "-1"),
        ("RETRY_GRACE", "soon"),
        ("LOG_LEVEL", "loud"),
        ("REDIS_URL", "localhost:6379"),
    ],
)
def test_bounds_are_kept(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A value outside its bounds is one problem, with its name."""
    (line,) = problems(monkeypatch, **{name: value})
    assert line.startswith(f"{name} is wrong: ")


@pytest.mark.parametrize(
    "values",
    [
        {"MAX_STALENESS": "300", "POLL_INTERVAL": "600"},  # every poll would exceed it
        {"GCS_QUOTA_FOR_PEOPLE": "30", "GCS_QUOTA": "30"},  # no call would be left for polls
        {"REDIS_REPLICAS": "1"},  # of the bot's own store
    ],
)
def test_contradicting_values_are_refused(monkeypatch: pytest.MonkeyPatch, values: dict[str, str]) -> None:
    """Each value alone would be valid, together they are one problem."""
    (line,) = problems(monkeypatch, **values)
    assert line.startswith(f"{next(iter(values))} is wrong: ")


@pytest.mark.parametrize(("quota", "people"), [("600", 30), ("100000", 30), ("100", 5), ("10", 0)])
def test_a_small_quota_leaves_calls_for_polls(monkeypatch: pytest.MonkeyPatch, quota: str, people: int) -> None:
    """With a lower quota than usual, fewer calls are reserved for people."""
    assert load(monkeypatch, GCS_QUOTA=quota).gcs_quota_for_people == people


def test_the_environment_wins_over_a_dotenv_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """`.env` is read, except for what is set in the environment; empty means not set."""
    (tmp_path / ".env").write_text("POLL_INTERVAL=30\nLOG_LEVEL=DEBUG\nREDIS_URL=\n")
    settings = load(monkeypatch, POLL_INTERVAL="45")
    assert settings.poll_interval == timedelta(seconds=45)
    assert settings.log_level == "debug"
    assert settings.redis_url is None


def test_an_unreadable_dotenv_is_reported(tmp_path: Path) -> None:
    """A `.env` that is not text is reported like any other wrong setting."""
    (tmp_path / ".env").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsInvalid, match=r"\.env cannot be read"):
        Settings.load()


def test_settings_do_not_change(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read once, at the start."""
    settings = load(monkeypatch)
    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]  # frozen


@given(st.sampled_from(sorted(set(NAMES.values()))), st.text(max_size=30))
def test_any_value_gives_settings_or_problems(name: str, text: str) -> None:
    """No value of any setting raises another kind of error, or is repeated in the problem."""
    values: dict[str, Any] = {key.lower(): value for key, value in MINIMAL.items()} | {name.lower(): f"§§{text}"}
    problem = ""
    try:
        Settings(**values)
    except SettingsInvalid as error:
        problem = str(error)
    assert "§§" not in problem


def test_the_page_follows_from_the_fields() -> None:
    """`docs/settings.md` is generated by `python -m bot.settings`."""
    page = Path(__file__).resolve().parents[2] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference()


def test_the_page_shows_settings_for_experts_last() -> None:
    """Each setting has one row; those that hardly anybody needs come under a heading of their own."""
    common, experts = reference().split("## Settings for experts")
    for name, field in Settings.model_fields.items():
        row = f"\n| `{name.upper()}` |"
        assert (row in common, row in experts) == (EXPERT not in field.metadata, EXPERT in field.metadata)
    assert all(f"| `{name}` |" in common for name in MINIMAL)
