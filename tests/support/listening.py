"""An application behind the server that production uses, on a free port of this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from api.server import make_runner

CLEANUP_SECONDS = 1.0
"""How long requests under way may take when a test ends."""


@asynccontextmanager
async def listening(app: web.Application) -> AsyncIterator[int]:
    """Serve the application; gives the port."""
    runner = make_runner(app, access_log=None, shutdown_timeout=CLEANUP_SECONDS)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
