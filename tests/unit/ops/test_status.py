"""What a process tells of itself."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from daemon import clock
from daemon.metrics import Metrics
from ops.status import LiveStatus
from projections.progress import Progress
from streams.log.memory import MemoryLog
from streams.standing import Standing, TapeStanding

HOURS = 13
AGO_MS = HOURS * 3_600_000


class NoRows:
    """A pool on a database without any row."""

    async def fetch(self, *_: Any, **__: Any) -> list[Any]:
        return []

    async def execute(self, *_: Any, **__: Any) -> None: ...


async def test_lags_count_from_when_inputs_were_appended() -> None:
    """A process that has just started tells how long inputs have waited by the log's time, not by its own."""
    log = MemoryLog(lambda: clock.now_ms() - AGO_MS)
    await log.append(0, [b"a", b"b", b"c"])
    standing, progress = Standing([TapeStanding()]), Progress()
    standing.tapes[0].grow(2)
    standing.tapes[0].reach(1)
    progress.advance(0, 0)
    status = LiveStatus(standing, progress, Metrics(), cast("Any", NoRows()), log)
    watching = asyncio.create_task(status.watch())
    async with asyncio.timeout(10):
        while not (found := status.tapes()[0]).trader_lag_seconds > HOURS * 3_600 - 1:
            await asyncio.sleep(0.01)
    assert found.projection_lag_seconds > HOURS * 3_600 - 1
    standing.tapes[0].reach(2)
    progress.advance(0, 2)
    assert (status.tapes()[0].trader_lag_seconds, status.tapes()[0].projection_lag_seconds) == (0, 0)
    watching.cancel()
