"""What a route is: one line says who may call it, what it takes and what it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from api.errors import expectation_failed, unavailable
from api.identity.guard import admit
from api.identity.keys import Scope
from api.ports import DEPS
from api.responses import error_response

PREFIX: Final = "/api/v1"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, kw_only=True)
class Route:
    """One method of one path."""

    method: str
    path: str
    """Below the prefix, in aiohttp's form."""
    handler: Handler
    summary: str
    scope: Scope | None = None
    """What the key must be allowed to do; None: no key is needed."""
    body: type[BaseModel] | None = None
    answer: Any = None
    """The type of the answer's content."""
    status: int = 200
    writes: bool = False
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Query parameters and what they do."""
    at_root: bool = False
    """Whether it stands at the root as well as below the prefix."""


def add_route(app: web.Application, route: Route) -> None:
    """Let the application answer this route."""
    handler = guarded(route)
    paths = [PREFIX + route.path, route.path] if route.at_root else [PREFIX + route.path]
    for path in paths:
        if route.method == "GET":
            app.router.add_get(path, handler, expect_handler=expect)
        else:
            app.router.add_route(route.method, path, handler, expect_handler=expect)


def guarded(route: Route) -> Handler:
    """The route's handler behind its scope."""
    scope, handler = route.scope, route.handler
    if scope is None:
        return handler
    reads = not route.writes

    async def guard(request: web.Request) -> web.StreamResponse:
        deps = request.app[DEPS]
        await admit(request, deps.keys, scope)
        if reads and deps.status.is_rebuilding():
            raise unavailable("REBUILDING", "the read models are being rebuilt: ask again soon", 5)
        return await handler(request)

    return guard


async def expect(request: web.Request) -> web.StreamResponse | None:
    """Answers an `Expect` header; runs outside the middlewares."""
    if request.headers.get("Expect", "").lower() == "100-continue":
        transport = request.transport
        if transport is not None:
            transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        return None
    return error_response(expectation_failed())
