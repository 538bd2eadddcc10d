"""How a stage that computes for long leaves the event loop to others now and then."""

from __future__ import annotations

import asyncio
from typing import Final

from daemon import clock

YIELD_SECONDS: Final = 0.002
"""How long a stage may hold the event loop."""


class Breath:
    """Counts from `begin`, called where the stage has just waited for something."""

    def __init__(self) -> None:
        self._due = 0.0

    def begin(self) -> None:
        """The loop's others have just had their turn."""
        self._due = clock.monotonic() + YIELD_SECONDS

    def is_due(self) -> bool:
        """Whether the loop has been held for long enough."""
        return clock.monotonic() > self._due

    async def take(self) -> None:
        """Let the others have their turn."""
        await asyncio.sleep(0)
        self.begin()
