"""The demo's way to the daemon: its HTTP API and nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, Self

import aiohttp

from daemon import clock
from ops.errors import StartError

PAGE: Final = 1_000
TRIES_MAX: Final = 15
TIMEOUT: Final = aiohttp.ClientTimeout(total=20)
HTTP_ACCEPTED: Final = 202
HTTP_ERROR: Final = 400
HTTP_BUSY: Final = frozenset({429, 503})

# Money is text; the one JSON number for a price must not pass through a float either.
_loads = partial(json.loads, parse_float=Decimal)


class NotNow(Exception):
    """The daemon is there but cannot answer at the moment."""


class Http:
    """A client of one daemon, with one API key."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        self._session = aiohttp.ClientSession(headers={"X-API-Key": key}, timeout=TIMEOUT)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str | int) -> Any:
        """One answer."""
        return (await self._ask("GET", path, query=query))[1]

    async def list_all(self, path: str, **query: str | int) -> list[Any]:
        """A whole list, page after page."""
        found: list[Any] = []
        while True:
            page = await self.get(path, **query, limit=PAGE, offset=len(found))
            found.extend(page)
            if len(page) < PAGE:
                return found

    async def post(self, path: str, body: Mapping[str, Any], key: str | None = None) -> Any:
        """Write, and come back when it can be read: sent again under the same idempotency key until then."""
        headers = {"Idempotency-Key": key or clock.random_id()}
        for _ in range(TRIES_MAX):
            try:
                status, answer = await self._ask("POST", path, body=body, headers=headers)
            except NotNow:
                await asyncio.sleep(1)
                continue
            if status != HTTP_ACCEPTED:
                return answer
            if answer.get("code") == "HALTED":
                raise StartError("the daemon's tape has halted: see its log, and tapefold halted")
        raise StartError(f"the daemon has not come to POST {path}: see its log")

    async def _ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        url = f"{self.url}/api/v1{path}"
        try:
            async with self._session.request(
                method, url, params=query, json=body, headers=headers
            ) as response:
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NotNow(str(error) or type(error).__name__) from error
        if response.status in HTTP_BUSY:
            raise NotNow(f"{response.status} to {method} {path}")
        if response.status >= HTTP_ERROR:
            raise StartError(f"the daemon answered {response.status} to {method} {path}: {text.strip()}")
        return response.status, _loads(text)
