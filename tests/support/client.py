"""A client for tests: requests with one key, answers as JSON."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from yarl import URL

AT_ROOT = ("/health", "/metrics", "/api/")
"""Paths that are sent as they are; all others stand below /api/v1."""


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: Any, raw: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.raw = raw

    def __repr__(self) -> str:
        return f"{self.status} {self.body}"


class Client:
    """Sends requests with one key, and reads answers as JSON."""

    def __init__(self, base: str, session: aiohttp.ClientSession, key: str | None) -> None:
        self.base = base
        self.key = key
        self._session = session

    async def send(
        self, method: str, path: str, body: Any = None, *, key: str | None = None, **headers: str
    ) -> Answer:
        """One request; `body` is JSON unless it is bytes. Underscores in names of headers are dashes."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.key is not None:
            given.setdefault("X-API-Key", self.key)
        if key is not None:
            given["Idempotency-Key"] = key
        data: dict[str, Any] = {}
        if isinstance(body, bytes):
            data = {"data": body}
            given.setdefault("Content-Type", "application/json")
        elif body is not None:
            data = {"json": body}
        return await self._request(
            method, path if path.startswith(AT_ROOT) else "/api/v1" + path, given, **data
        )

    async def _request(self, method: str, path: str, headers: dict[str, str], **data: Any) -> Answer:
        url = URL(self.base + path, encoded=True)
        async with self._session.request(
            method, url, headers=headers, allow_redirects=False, **data
        ) as response:
            raw = await response.read()
            is_json = response.content_type == "application/json" and method != "HEAD"
            return Answer(response.status, response.headers, json.loads(raw) if is_json else raw, raw)

    async def get_at(self, path: str) -> Answer:
        """A path that is sent as it is, wherever it stands."""
        return await self._request("GET", path, {} if self.key is None else {"X-API-Key": self.key})

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, **headers)

    async def post(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        return await self.send("POST", path, body, key=key, **headers)

    async def put(self, path: str, body: Any = None, *, key: str | None = None, **headers: str) -> Answer:
        return await self.send("PUT", path, body, key=key, **headers)
