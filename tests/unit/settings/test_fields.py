"""What is read, what is refused with which advice, and that no secret is repeated."""

from __future__ import annotations

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
from bot.settings.fields import EXPERT
from bot.settings.page import reference

from .conftest import MINIMAL, load, problems


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
    for wrong in (
        *("http://gcs.example.com", "https://gcs .example.com", "https://gcs.example.com/a b", "https://gcs:0"),
        *("https://gcs.example.com:", "https://\uff47cs.example.com", "https://u@gcs", "https://:p@gcs", "https://"),
    ):
        (line,) = problems(monkeypatch, GCS_ENDPOINT=wrong)
        assert line.startswith("GCS_ENDPOINT is wrong: give an https:// address"), wrong


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


@pytest.mark.parametrize("off", ["False", "0", "no", "%66"])
def test_an_unchecked_name_is_warned_of(monkeypatch: pytest.MonkeyPatch, off: str) -> None:
    """The store's certificate may belong to another server then, however that is spelt."""
    (warning,) = load(monkeypatch, REDIS_URL=f"rediss://:p@h?ssl_check_hostname={off}").warnings
    assert "pose as the store" in warning


def test_an_address_in_no_proxy_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tools' value for the whole machine must not keep the bot from starting."""
    assert load(monkeypatch, NO_PROXY="example.com, 10.0.0.0/8").warnings == ()
    (warning,) = load(monkeypatch, NO_PROXY="example.com,http://10.0.0.1").warnings
    assert warning.startswith("NO_PROXY: ")


def test_a_host_may_have_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an IPv6 address has them in a URL."""
    assert load(monkeypatch, HEALTH_HOST="[::1]").health_host == "::1"


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOG_FORMAT", "Text"), ("LOG_LEVEL", "INFO"), ("DEFAULT_LANGUAGE", "ZH"), ("DEFAULT_LEVEL", "Final")],
)
def test_capitals_do_not_matter(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """In every setting that is one of a few words."""
    assert getattr(load(monkeypatch, **{name: value}), name.lower()) == value.lower()


@pytest.mark.parametrize("value", [",", ", ,"])
def test_a_list_of_separators_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    """An empty list allows all: one whose ids were lost on the way must not."""
    (line,) = problems(monkeypatch, ALLOWED_USERS=value)
    assert line == "ALLOWED_USERS is wrong: it has separators only; give at least one id, or leave it out"


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
    """The bot does not start without an authority that its settings name."""
    (tmp_path / "ca.pem").write_text("nothing")
    assert problems(monkeypatch, CA_BUNDLE="ca.pem") == [
        "CA_BUNDLE is wrong: the file holds no certificates in PEM format"
    ]


def test_a_bundle_that_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate in place of its path is one problem, as is a path in a folder that the bot may not enter."""
    assert problems(monkeypatch, CA_BUNDLE="MIIB" * 1000) == [
        "CA_BUNDLE is wrong: the file cannot be read (File name too long)"
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
        ("SLACK_SIGNING_SECRET", "xoxb-1-token"),
        ("SLACK_SIGNING_SECRET", "xapp-1-token"),
        ("RETRY_GRACE", "-1"),
        ("RETRY_GRACE", "soon"),
        ("LOG_LEVEL", "loud"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://h:６３７９"),  # digits that look alike
        ("REDIS_URL", "redis://h/１"),
        ("GCS_PROJECT_ID", "５a4db0c5"),
        ("GCS_REGION", "cn-north-４"),
        ("GCS_ENDPOINT", "https://gcs/ü"),
        ("STATE_DIR", "~/bot"),
        ("STATE_DIR", "$HOME/bot"),
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


def test_two_servers_need_two_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    """In HTTP mode; in Socket Mode nothing listens on PORT, and any free port is another one each time."""
    ports = {"PORT": "8080", "HEALTH_PORT": "8080"}
    assert load(monkeypatch, **ports).port == 8080
    monkeypatch.delenv("SLACK_APP_TOKEN")
    http = {"SLACK_APP_TOKEN": None, "SLACK_SIGNING_SECRET": "secret-secret"}
    assert load(monkeypatch, **http, PORT="0", HEALTH_PORT="0").port == 0
    assert problems(monkeypatch, **http, **ports) == [
        "HEALTH_PORT is wrong: it is PORT, on which Slack's requests arrive; give another one"
    ]


@pytest.mark.parametrize(("quota", "people"), [("600", 30), ("100000", 30), ("100", 5), ("10", 0)])
def test_a_small_quota_leaves_calls_for_polls(monkeypatch: pytest.MonkeyPatch, quota: str, people: int) -> None:
    """With a lower quota than usual, fewer calls are reserved for people."""
    assert load(monkeypatch, GCS_QUOTA=quota).gcs_quota_for_people == people


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
    page = Path(__file__).resolve().parents[3] / "docs" / "settings.md"
    assert page.read_text(encoding="utf-8") == reference()


def test_the_page_shows_settings_for_experts_last() -> None:
    """Each setting has one row; those that hardly anybody needs come under a heading of their own."""
    common, experts = reference().split("## Settings for experts")
    for name, field in Settings.model_fields.items():
        row = f"\n| `{name.upper()}` |"
        assert (row in common, row in experts) == (EXPERT not in field.metadata, EXPERT in field.metadata)
    assert all(f"| `{name}` |" in common for name in MINIMAL)
