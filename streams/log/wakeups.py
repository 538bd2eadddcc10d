"""How a waiter learns inside a process that a log has grown."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from streams.log.contract import WAIT_SECONDS_MAX


class Bell:
    """Wakes all who wait. Between looking and waiting nothing is awaited, so no ring is missed."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        """Let every waiter look again."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self, come: Callable[[], bool], seconds: float) -> None:
        """Return when `come` holds (asked now and after each ring), or after `seconds` (at most 1 s)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + min(seconds, WAIT_SECONDS_MAX)
        while not come() and (left := until - loop.time()) > 0:
            waiter: asyncio.Future[None] = loop.create_future()
            timer = loop.call_later(left, _expire, waiter)
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                timer.cancel()
                self._waiters.discard(waiter)


def _expire(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
