"""What other processes do, for one that does not trade or project a tape itself.

The read models say how far they are, the log how far the traders are, Postgres who holds a claim, and the
table of stages who stands still. Nothing is announced: a NOTIFY would make commits wait for one another.
"""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog
from asyncpg.pool import Pool

from daemon.database import TROUBLE, one_line
from projections.progress import Progress, list_progress
from streams.log.claim_locks import CLAIMS, claimed
from streams.log.contract import Log, LogUnavailable
from streams.standing import Halted, Standing

LOOK_SECONDS: Final = 0.5
"""Between two looks at log, claims and stages."""
PROGRESS_SECONDS: Final = 0.003
"""Between two looks at the read models while a request waits for them."""
IDLE_SECONDS: Final = 0.25
"""The same while none does."""

_TROUBLE: Final = (LogUnavailable, *TROUBLE)
_HALTED: Final = """
SELECT stage, tape, "offset", error FROM identity.stages WHERE state = 'halted' AND "offset" IS NOT NULL
"""

_log = structlog.get_logger("watching")


async def watch_progress(progress: Progress, standing: Standing, pool: Pool) -> None:
    """Tell `progress` how far the read models of tapes are that others project. Never returns."""
    while True:
        if all(place.projecting for place in standing.tapes):
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            rows = await list_progress(pool)
        except _TROUBLE as error:
            _log.warning("cannot see the read models", error=one_line(error))
            await asyncio.sleep(LOOK_SECONDS)
            continue
        for row in rows:
            if row.tape < len(standing.tapes) and not standing.tapes[row.tape].projecting:
                progress.advance(row.tape, row.tape_offset)
        await progress.wanted(IDLE_SECONDS)
        await asyncio.sleep(PROGRESS_SECONDS)


async def watch_traders(standing: Standing, log: Log, pool: Pool) -> None:
    """Tell `standing` of the tapes that others trade, and of stages that stand still there. Never returns."""
    while True:
        try:
            await _look(standing, log, pool)
        except _TROUBLE as error:
            _log.warning("cannot see the other processes", error=one_line(error))
        await asyncio.sleep(LOOK_SECONDS)


async def _look(standing: Standing, log: Log, pool: Pool) -> None:
    if all(place.trading and place.projecting for place in standing.tapes):
        return
    traded = await claimed(pool, CLAIMS)
    for number, place in enumerate(standing.tapes):
        place.traded = number in traded and not place.claimed
        if not place.trading:
            head = await log.head(number)
            if not place.trading:
                place.grow(head.tape)
                if head.reached > place.reached:
                    place.reach(head.reached)
    rows = await pool.fetch(_HALTED)
    told = {(row["stage"], row["tape"]): _halted(row) for row in rows}
    for key, halted in list(standing.halted.items()):
        if halted.elsewhere and key not in told:
            del standing.halted[key]
    for (stage, tape), halted in told.items():
        if tape < len(standing.tapes) and not _is_here(standing, stage, tape):
            standing.halted[stage, tape] = halted


def _is_here(standing: Standing, stage: str, tape: int) -> bool:
    place = standing.tapes[tape]
    known = standing.halted.get((stage, tape))
    runs = place.trading if stage == "trader" else place.projecting
    return runs or (known is not None and not known.elsewhere)


def _halted(row: asyncpg.Record) -> Halted:
    return Halted(row["stage"], row["tape"], row["offset"], row["error"], elsewhere=True)
