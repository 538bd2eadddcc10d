"""The API's own description, as JSON and as a page. No key needed: it tells nothing of any owner."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from aiohttp import web

from api import openapi
from api.ports import DEPS
from api.responses import json_response
from api.routing import PREFIX, Route, expect

_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def add_docs(app: web.Application, routes: Sequence[Route]) -> None:
    """Serve the description of these routes, which is made when it is first asked for."""

    @cache
    def described() -> dict[str, Any]:
        return openapi.document(routes, app[DEPS].version)

    async def show(_request: web.Request) -> web.Response:
        return json_response(described())

    async def page(_request: web.Request) -> web.Response:
        return web.Response(
            text=openapi.page(described()),
            content_type="text/html",
            headers={"Content-Security-Policy": _POLICY, "X-Content-Type-Options": "nosniff"},
        )

    app.router.add_get(f"{PREFIX}/openapi.json", show, expect_handler=expect)
    app.router.add_get(f"{PREFIX}/docs", page, expect_handler=expect)
