"""Calls of the log that are made again until it can be reached."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

import structlog

from streams.log.contract import LogUnavailable

T = TypeVar("T")
RETRY_SECONDS: Final = 0.2
"""Between tries while the log cannot be reached or another holds the claim."""

_log = structlog.get_logger("trader")


async def retry(tape: int, stop: asyncio.Event, call: Callable[[], Awaitable[T]]) -> T | None:
    """Call until the log can be reached; None when told to stop. A call that failed has stored nothing."""
    said = False
    while not stop.is_set():
        try:
            return await call()
        except LogUnavailable as error:
            if not said:
                _log.warning("log unavailable", tape=tape, error=str(error))
            said = True
            await asyncio.sleep(RETRY_SECONDS)
    return None
