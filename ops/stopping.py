"""SIGTERM and SIGINT: the first asks for a stop, the second cuts the drain short.

Everything that follows a signal has one deadline. When it has passed, or a little after a second signal, the
process ends whatever still hangs (a frozen database, a client that dribbles): all that was acknowledged is
durable, and the next start takes over a database that is left running.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from typing import Any, Final

import structlog

from daemon import clock

DRAIN_SHARE: Final = 0.8
"""Of the time that a stop may take, for what was taken before it; the rest is for closing."""
AGAIN_SECONDS: Final = 2.0
"""How long closing may take after a second signal."""

_log = structlog.get_logger("lifecycle")


class Stop:
    """Whether, and how urgently, this process has been told to end; `seconds` is the limit of the whole."""

    def __init__(self, seconds: float) -> None:
        self.asked = asyncio.Event()
        self.again = asyncio.Event()
        self._seconds = seconds
        self._asked_at = 0.0
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._signal, number)

    def may_drain(self) -> bool:
        """Whether there is time left to finish what was taken."""
        if self.again.is_set():
            return False
        return not self.asked.is_set() or clock.monotonic() < self._asked_at + self._seconds * DRAIN_SHARE

    async def unless_asked(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, but not beyond the first signal."""
        await _unless(self.asked, work)

    async def unless_asked_again(self, work: Coroutine[Any, Any, None]) -> None:
        """Do this, but not beyond the second signal."""
        await _unless(self.again, work)

    def _signal(self, number: int) -> None:
        _log.info("stopping", signal=signal.Signals(number).name)
        if self.asked.is_set():
            self.again.set()
            self._loop.call_later(AGAIN_SECONDS, _end_now)
        else:
            self._asked_at = clock.monotonic()
            self.asked.set()
            self._loop.call_later(self._seconds, _end_now)


def _end_now() -> None:
    _log.warning("the limit for stopping has passed: ending now; what is acknowledged is durable")
    logging.shutdown()
    os._exit(0)


async def _unless(event: asyncio.Event, work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    waiting = asyncio.ensure_future(event.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
    finally:
        task.cancel()
        waiting.cancel()
