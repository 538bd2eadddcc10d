"""What a newcomer finds at the root: the name, the version and where to go on. No key needed."""

from __future__ import annotations

from typing import Final

import msgspec
from aiohttp import web

from api.ports import DEPS
from api.responses import json_response
from api.routing import PREFIX, expect

_PATHS: Final = ("/", PREFIX, f"{PREFIX}/")


class Links(msgspec.Struct, frozen=True):
    """Where to go on, as paths of this server."""

    api: str = PREFIX
    docs: str = f"{PREFIX}/docs"
    openapi: str = f"{PREFIX}/openapi.json"
    health: str = "/health"
    metrics: str = "/metrics"


class IndexAnswer(msgspec.Struct, frozen=True):
    """Who answers here."""

    name: str
    version: str
    links: Links


def add_index(app: web.Application) -> None:
    """Answer the root and the base path."""
    for path in _PATHS:
        app.router.add_get(path, show, expect_handler=expect)


async def show(request: web.Request) -> web.Response:
    """Name, version and links."""
    return json_response(IndexAnswer(name="Tapefold", version=request.app[DEPS].version, links=Links()))
