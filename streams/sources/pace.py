"""The pace of a replay: when the next step is due."""

from __future__ import annotations

import asyncio

from daemon import clock


class Pace:
    """Time by this host's monotonic clock. It decides only when something is sent, never what it means."""

    def now(self) -> float:
        """Seconds that only grow."""
        return clock.monotonic()

    async def until(self, moment: float, stop: asyncio.Event) -> bool:
        """Wait until `moment`; False as soon as `stop` is set. Lets others run even if it has passed."""
        if stop.is_set():
            return False
        seconds = moment - self.now()
        if seconds <= 0:
            await asyncio.sleep(0)
            return not stop.is_set()
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return True
        return False
