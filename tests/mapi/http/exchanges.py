"""Exchanges recorded from a real server, and an endpoint that plays them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from workers.access import Access
from workers.mapi.http.endpoint import Endpoint, endpoint_of

RECORDED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "recorded" / "exchanges.json").read_text())

#: What every client makes up for itself.
OWN = {"x-requestid", "x-clientinfo", "cookie"}

USER = "u000@lab.test"


def body(name: str) -> bytes:
    """The recorded answer's binary part."""
    return bytes.fromhex(RECORDED[name]["response_hex"]).partition(b"\r\n\r\n")[2]


class Replay:
    """A server that expects the recorded requests, one after the other, and gives the recorded answers."""

    def __init__(self, *names: str) -> None:
        self._names = iter(names)
        self.cookies: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        recorded = RECORDED[next(self._names)]
        assert request.content.hex() == recorded["request_hex"]
        wanted = {name.lower(): value for name, value in recorded["request_headers"].items()}
        assert {name: request.headers[name] for name in wanted.keys() - OWN} == {
            name: value for name, value in wanted.items() if name not in OWN
        }
        assert OWN - {"cookie"} <= request.headers.keys()
        self.cookies.append(request.headers.get("cookie"))
        return answered(recorded, request)

    def done(self) -> None:
        assert next(self._names, None) is None


def answered(recorded: dict[str, Any], request: httpx.Request) -> httpx.Response:
    """The recorded answer, as if it were one to this request."""
    skipped = {"transfer-encoding", "content-length"}
    headers = [(name, value) for name, value in recorded["response_headers"] if name.lower() not in skipped]
    echoed = [
        (name, request.headers[name] if name in {"X-RequestId", "X-ClientInfo"} else value) for name, value in headers
    ]
    return httpx.Response(int(recorded["status"][:3]), headers=echoed, content=bytes.fromhex(recorded["response_hex"]))


def endpoint(monkeypatch: pytest.MonkeyPatch, handler: Any, url: str = "mapi+http://127.0.0.1") -> Endpoint:  # noqa: ANN401
    """An endpoint whose connections lead to a function."""
    monkeypatch.setattr(
        Endpoint, "client", lambda self: httpx.Client(transport=httpx.MockTransport(handler), auth=self.account)
    )
    return endpoint_of(url, Access(user=USER, password="x"))
