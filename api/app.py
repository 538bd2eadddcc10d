"""The API as an aiohttp application."""

from __future__ import annotations

from aiohttp import web

from api.middlewares import front
from api.ports import DEPS, Deps
from api.requests import PRICES_BODY_BYTES_MAX
from api.routes import ROUTES
from api.routes.docs import add_docs
from api.routes.health import HEALTH
from api.routes.index import add_index
from api.routing import add_route


def create_app(deps: Deps, *, only_health: bool = False) -> web.Application:
    """An application that serves all routes on these parts, or those of its health. It starts nothing."""
    app = web.Application(middlewares=[front], client_max_size=PRICES_BODY_BYTES_MAX)
    app[DEPS] = deps
    for route in HEALTH if only_health else ROUTES:
        add_route(app, route)
    if not only_health:
        add_docs(app, ROUTES)
        add_index(app)
    return app
