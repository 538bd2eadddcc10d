"""The stages of one process, each kept going for as long as that makes sense."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from projections.writer import ProjectorSuperseded
from streams.log.claim_locks import ClaimLocks
from streams.log.contract import ClaimHeld, LogUnavailable
from streams.sharing import Share
from streams.sources.files import FileFeed
from streams.sources.rows import FeedError
from streams.stages.projector import Projector
from streams.stages.trader import LostClaim, Trader
from streams.standing import TapeStanding

LOOK_SECONDS: Final = 0.02
"""Between two looks at whether this process trades a tape, or may."""
AGAIN_SECONDS: Final = 0.2
"""Before a tape that another holds is asked for again."""

_log = structlog.get_logger("supervision")


async def trade(trader: Trader, tape: int, share: Share, ended: asyncio.Event) -> None:
    """Run a tape's trader while it is this process's to trade; else stand by for it."""
    said = False
    while not ended.is_set():
        if not share.take(tape):
            await asyncio.sleep(LOOK_SECONDS)
            continue
        held = True
        try:
            await trader.run(share.leave(tape))
        except ClaimHeld as error:
            held = False
            if not said:
                _log.info("standing by", tape=tape, holder=str(error))
        except LostClaim as error:
            _log.warning("lost the claim", error=str(error))
        finally:
            share.give(tape)
        said = not held
        if not held:
            await asyncio.sleep(AGAIN_SECONDS)


async def project(
    projector: Projector,
    tape: int,
    place: TapeStanding,
    locks: ClaimLocks,
    share: Share | None,
    ended: asyncio.Event,
) -> None:
    """Run a tape's projector while no other process does: with a share, only where this process trades."""
    stop = ended if share is None else share.leave(tape)
    while not ended.is_set():
        if stop.is_set() or not (share is None or place.trading):
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            await locks.take(tape, "projector")
        except (ClaimHeld, LogUnavailable):
            await asyncio.sleep(AGAIN_SECONDS)
            continue
        try:
            place.projecting = True
            await projector.run(stop)
        except ProjectorSuperseded as error:
            _log.warning("projector superseded", error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)
        finally:
            place.projecting = False
            await locks.give(tape)


async def replay(feed: FileFeed, stop: asyncio.Event) -> None:
    """Run a feed; what is wrong in its file ends the feed alone."""
    try:
        await feed.run(stop)
    except FeedError as error:
        _log.error("feed stopped", error=str(error))
