"""Where values come from: the environment, `.env` and files; which names and characters are refused."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.errors import SettingsInvalid
from bot.settings import Settings
from bot.settings.fields import SECRETS

from .conftest import MINIMAL, load, problems

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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GCS_ACCESS_KEY", "GCS_AK"),
        ("GCS_REGOIN", "GCS_REGION"),
        ("SLACK_SIGNING_SECERT", "SLACK_SIGNING_SECRET"),
        ("REDIS_URI", "REDIS_URL"),
        ("VALKEY_URL", "REDIS_URL"),
        ("ALLOWED_GROUP", "ALLOWED_USER_GROUPS"),
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
    assert f"{name.upper()} is not a setting: did you mean {meant}?" in problems(monkeypatch, **changes, **given)


def test_variables_of_other_programs_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a normal container has in its environment is no problem, and changes nothing."""
    for name in os.environ:
        monkeypatch.delenv(name)
    assert load(monkeypatch, **CONTAINER) == load(monkeypatch)


def test_unknown_names_in_dotenv_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nobody but the bot reads the file, except for Docker Compose; a twin of a setting is refused as well."""
    (tmp_path / ".env").write_text("COMPOSE_PROJECT_NAME=x\nSTORE_PASSWORD=x\nHTTP_PROXY=x\nREDIS_URI=y\nTZ=UTC\n")
    lines = problems(monkeypatch, REDIS_URL="redis://host")
    assert [line.partition(" in .env is not a setting")[0] for line in lines] == ["HTTP_PROXY", "REDIS_URI", "TZ"]


def test_a_broken_line_in_dotenv_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A quotation mark that does not end would swallow what follows."""
    (tmp_path / ".env").write_text("LOG_LEVEL=info\nGCS_PROJECT_ID='abc\nPORT=1\n")
    assert ".env cannot be read at line 2: write NAME=value, all in one line" in problems(monkeypatch)


@pytest.mark.parametrize(
    "text",
    [
        "GCS_SK=first\n\n\nhunter2\n",
        "GCS_SK=first\n\n\nHUNTER2abc==\n",
        "GCS_SK=first\n\n\nxoxb-hunter2\n",
        "GCS_SK=first\n\n\n:hunter2@host=\n",
        "GCS_SK=first\n\n\nGCS_SK: hunter2\n",
    ],
)
def test_a_secret_in_two_lines_is_not_repeated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> None:
    """What is no name of a setting may be the rest of a secret: its line is named, not its text."""
    (tmp_path / ".env").write_text(text)
    assert problems(monkeypatch) == [".env cannot be read at line 4: write NAME=value, all in one line"]


@pytest.mark.parametrize("second", ["ALLOWED_USERS=U2", "allowed_users=U2", "export ALLOWED_USERS = 'U2'"])
def test_a_name_with_two_values_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: str) -> None:
    """The first list would be lost without a word; a line that is left empty, or says the same, is none."""
    (tmp_path / ".env").write_text(f"ALLOWED_USERS=U1\n{second}\nPORT=\nPORT=1\nPORT=1\nPORT=\n")
    assert problems(monkeypatch) == ["ALLOWED_USERS is in .env twice, with different values: remove one of them"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_another_encoding_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, encoding: str) -> None:
    """As Windows writes it; and not that all is missing which may be in it."""
    (tmp_path / ".env").write_bytes("GCS_SK=hunter2\n# 密钥\n".encode(encoding))
    assert problems(monkeypatch, GCS_SK=None, SLACK_BOT_TOKEN=None, PORT="x") == [
        "PORT is wrong: give a whole number",
        ".env cannot be read: it is not text in UTF-8: save it as UTF-8",
    ]


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


@pytest.mark.parametrize("name", ["SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET", "GCS_AK", "GCS_SK"])
@pytest.mark.parametrize("form", ["'{}", '{}"'])
def test_half_a_quotation_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, form: str) -> None:
    """One mark was copied, and the other was not; no key or token has any."""
    value = (MINIMAL | {"SLACK_APP_TOKEN": "xapp-1", "SLACK_SIGNING_SECRET": "0123456789"})[name]
    (line,) = problems(monkeypatch, **{name: form.format(value)})
    assert line.startswith(f"{name} is wrong: give ")


def test_a_value_with_its_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A whole line of `.env` in a file, or in an environment variable."""
    (tmp_path / "sk").write_text("GCS_SK=hunter2\n")
    sentence = "it begins with its own name; give only what follows the equals sign"
    assert problems(monkeypatch, GCS_AK="GCS_AK=x", GCS_SK=None, GCS_SK_FILE="sk") == [
        f"GCS_AK is wrong: {sentence}",
        f"GCS_SK_FILE is wrong: {sentence}",
    ]


def test_every_secret_may_be_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each has a `_FILE`; white space at the end of the file does not count, quotation marks do."""
    values = dict.fromkeys(SECRETS, "hunter2-x") | MINIMAL
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
        (b"\xff\xfe", "GCS_SK_FILE is wrong: the file cannot be read (it is not text in UTF-8: save it as UTF-8)"),
        (b"one\ntwo", "GCS_SK_FILE is wrong: it contains a line break or an invisible character; remove it"),
        (b"\xef\xbb\xbfone", "GCS_SK_FILE is wrong: it contains a line break or an invisible character; remove it"),
        (b"x" * 65_537, "GCS_SK_FILE is wrong: the file is larger than 64 KiB"),
    ],
)
def test_a_wrong_file_is_one_problem(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, problem: str
) -> None:
    """A file that is missing, empty, no text or has several lines, by name."""
    if content is not None:
        (tmp_path / "sk").write_bytes(content)
    assert problems(monkeypatch, GCS_SK=None, GCS_SK_FILE="sk") == [problem]


@pytest.mark.parametrize(("make", "kind"), [(os.mkfifo, "it is not a regular file"), (os.mkdir, "it is a directory")])
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


def test_a_path_that_cannot_be_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A NUL in it would end in a traceback."""
    (tmp_path / ".env").write_text("GCS_SK_FILE=/run/\0secret\n")
    line = "GCS_SK_FILE is wrong: it contains a line break or an invisible character; remove it"
    assert problems(monkeypatch, GCS_SK=None) == [line]


def test_a_dotenv_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The lists of who may ask would be gone with it, and everybody might."""
    (tmp_path / ".env").symlink_to("elsewhere")
    assert problems(monkeypatch) == [".env cannot be read: No such file or directory"]


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
