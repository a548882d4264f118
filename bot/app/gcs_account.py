"""One GCS account: its client, its credentials, its share of the quota.

Lives here: building them from the settings. Does not live here: calls (`bot.gcs.client`). Called by `bot.app.service`,
and by `bot.app.checks` for the client alone. A second account is a second object.
"""

from __future__ import annotations

from dataclasses import dataclass

from bot.gcs.auth import IAMUser, SignatureAuth, TokenAuth
from bot.gcs.client import GCSClient
from bot.gcs.http import HTTPClient
from bot.settings import Settings
from bot.slack.client import Identity
from bot.store import Store
from bot.store.gcs_quota import GCSQuota
from bot.store.keys import account_id
from bot.store.owner import Owner


@dataclass(frozen=True, slots=True)
class GCSAccount:
    """What polls, lists and people's requests share."""

    client: GCSClient
    quota: GCSQuota


def gcs_account(settings: Settings, store: Store, http: HTTPClient) -> GCSAccount:
    """The account that the settings name; every copy of the bot shares its quota through `store`."""
    quota = store.gcs_quota(_user(settings), per_minute=settings.gcs_quota, reserve=settings.gcs_quota_for_people)
    return GCSAccount(gcs_client(settings, http, quota), quota)


def gcs_client(settings: Settings, http: HTTPClient, quota: GCSQuota | None = None) -> GCSClient:
    """A client with the credentials that the settings name; without `quota` for a single request."""
    return GCSClient(
        http,
        endpoint=settings.gcs_endpoint,
        auth=_credentials(settings, http),
        take=quota.take if quota else None,
        on_throttled=quota.refused if quota else None,
        max_execution_bytes=settings.gcs_max_answer_mib << 20,
    )


def _credentials(settings: Settings, http: HTTPClient) -> SignatureAuth | TokenAuth:
    if settings.gcs_ak and settings.gcs_sk:
        return SignatureAuth(
            settings.gcs_ak.get_secret_value(),
            settings.gcs_sk,
            project_id=settings.gcs_project_id,
            security_token=settings.gcs_security_token,
        )
    assert settings.gcs_username and settings.gcs_password and settings.gcs_domain  # noqa: S101, PT018  # Settings
    user = IAMUser(
        username=settings.gcs_username,
        password=settings.gcs_password,
        domain=settings.gcs_domain,
        project_name=settings.gcs_region,
        project_id=settings.gcs_project_id or "",
    )
    return TokenAuth(http, settings.iam_endpoint, user)


def this_owner(settings: Settings, identity: Identity, project_id: str, *, is_certain: bool) -> Owner:
    """The owner of a store that this bot works on.

    `project_id` is what GCS showed, if the settings name none. Unless it is certain, keys do not depend on it.
    """
    project_id = settings.gcs_project_id or project_id
    return Owner(
        account=account_id(settings.gcs_endpoint, project_id if is_certain else ""),
        team=identity.team_id,
        endpoint=settings.gcs_endpoint,
        project=project_id,
        enterprise=identity.enterprise_id,
        bot_user=identity.bot_user_id,
    )


def _user(settings: Settings) -> str:
    """Whose quota it is."""
    return settings.gcs_ak.get_secret_value() if settings.gcs_ak else f"{settings.gcs_domain}/{settings.gcs_username}"
