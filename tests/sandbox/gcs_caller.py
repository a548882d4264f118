"""A client of the simulated GCS for the tests, which signs with the vendor's own code and none of the bot's."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from aiohttp import ClientSession, ClientTimeout
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from yarl import URL

from sandbox.gcs import GCS

Query = Sequence[tuple[str, str]]
NONE: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class Reply:
    """The answer."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.content)

    @property
    def error(self) -> tuple[int, str]:
        """Status and error code."""
        return self.status, self.json["error_code"]


def signed(
    gcs: GCS, path: str, query: Query = (), headers: Mapping[str, str] = NONE, *, method: str = "GET", body: str = ""
) -> SdkRequest:
    """A request of `path`, signed with `gcs`'s keys; its `uri` and `header_params` are ready to send."""
    usual = {
        "Content-Type": "application/json",
        "X-Project-Id": gcs.project_id,
        "X-Sdk-Date": datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
    }
    request = SdkRequest(
        method=method,
        host=gcs.url.removeprefix("http://"),
        resource_path=path,
        query_params=list(query),
        header_params={**usual, **headers},
        body=body,
    )
    return Signer(BasicCredentials(ak=gcs.access_key, sk=gcs.secret_key)).sign(request)


async def send(gcs: GCS, uri: str, headers: Mapping[str, str], *, method: str = "GET", body: bytes = b"") -> Reply:
    """Send exactly this, on a new connection."""
    url = URL(gcs.url + uri, encoded=True)
    async with (
        ClientSession(timeout=ClientTimeout(total=10)) as http,
        http.request(method, url, headers=headers, data=body or None, allow_redirects=False) as answer,
    ):
        return Reply(answer.status, answer.headers, await answer.read())


async def get(gcs: GCS, path: str, query: Query = (), headers: Mapping[str, str] = NONE) -> Reply:
    """The answer to a well-signed GET."""
    request = signed(gcs, path, query, headers)
    return await send(gcs, request.uri, request.header_params)


async def get_execution(gcs: GCS, execution_id: str) -> Reply:
    """The answer to get-execution."""
    return await get(gcs, f"/v1/executions/{execution_id}")


async def operate(gcs: GCS, execution_id: str, body: str) -> Reply:
    """The answer to a well-signed PUT of an execution."""
    request = signed(gcs, f"/v1/executions/{execution_id}", method="PUT", body=body)
    return await send(gcs, request.uri, request.header_params, method="PUT", body=body.encode())
