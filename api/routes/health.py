"""Health and metrics: no key needed, so that probes and Prometheus can ask. Bind to 127.0.0.1 or a proxy."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from api import health
from api.ports import DEPS
from api.responses import json_response
from api.routing import Route
from api.times import moment_text
from daemon import clock, metrics


async def show(request: web.Request) -> web.Response:
    """Everything that is known."""
    found = health.health(request.app[DEPS].status)
    return json_response(found, 503 if found.status == "unhealthy" else 200)


async def live(request: web.Request) -> web.Response:
    """The process answers."""
    uptime = round(request.app[DEPS].status.uptime_seconds(), 3)
    return json_response(health.LiveAnswer(alive=True, timestamp=moment_text(clock.now_ms()), uptime=uptime))


async def ready(request: web.Request) -> web.Response:
    """Whether traffic may come here."""
    why = health.reasons(request.app[DEPS].status)
    found = health.ReadyAnswer(ready=not why, reasons=why, timestamp=moment_text(clock.now_ms()))
    return json_response(found, 503 if why else 200)


async def show_metrics(request: web.Request) -> web.Response:
    """All metrics of this process."""
    deps = request.app[DEPS]
    health.observe(deps.metrics, deps.status)
    return web.Response(body=deps.metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})


HEALTH: Final = (
    Route(
        method="GET",
        path="/health",
        handler=show,
        summary="Health with all that is known; 503 when unhealthy",
        answer=health.HealthAnswer,
        at_root=True,
    ),
    Route(
        method="GET",
        path="/health/live",
        handler=live,
        summary="Whether the process answers",
        answer=health.LiveAnswer,
        at_root=True,
    ),
    Route(
        method="GET",
        path="/health/ready",
        handler=ready,
        summary="Whether traffic may come here; 503 and the reasons when not",
        answer=health.ReadyAnswer,
        at_root=True,
    ),
    Route(method="GET", path="/metrics", handler=show_metrics, summary="Prometheus metrics", at_root=True),
)
