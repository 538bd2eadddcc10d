"""From starting `tapefold up` to its readiness, with ten thousand open positions to fold."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Sequence
from typing import Final

from tests.benchmarks.figures import Figure, main, median
from tests.benchmarks.holding import holding

STARTS: Final = 5


async def run() -> Sequence[Figure]:
    """Five restarts after a clean stop; the figures are medians."""
    ready, live, folds, postgres = [], [], [], []
    async with holding() as daemon:
        for _ in range(STARTS):
            await daemon.stop()
            await daemon.start()
            ready.append(daemon.ready_seconds)
            live.append(daemon.live_seconds)
            folds.append(float(daemon.said("folded")["seconds"]))
            async with daemon.database() as database:
                began = await database.pool.fetchval("SELECT extract(epoch FROM pg_postmaster_start_time())")
            postgres.append(float(began) - daemon.began_at)
        imports = [await _import_seconds() for _ in range(STARTS)]
    return [
        Figure(
            "start to ready, 10,000 positions",
            median(ready),
            "s",
            3,
            note=f"worst of {STARTS}: {max(ready):.2f}",
        ),
        Figure("  interpreter and imports", median(imports), "s"),
        Figure("  to the database's start", median(postgres), "s"),
        Figure("  to the first answer", median(live), "s"),
        Figure("  fold of tape and journal", median(folds), "s"),
    ]


async def _import_seconds() -> float:
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "import ops.lifecycle, ops.cli.up")
    await process.wait()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(run)
