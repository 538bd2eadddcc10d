"""The stages of one process, each kept going for as long as that makes sense."""

from __future__ import annotations

import asyncio

import structlog

from projections.writer import ProjectorSuperseded
from streams.sources.files import FileFeed
from streams.sources.rows import FeedError
from streams.stages.projector import Projector
from streams.stages.trader import LostClaim, Trader
from streams.standing import TapeStanding

LOOK_SECONDS = 0.02
"""Between two looks at whether this process trades a tape."""
AGAIN_SECONDS = 1.0

_log = structlog.get_logger("supervision")


async def trade(trader: Trader, ended: asyncio.Event) -> None:
    """Run a trader; one that was fenced stands by for the claim again."""
    while not ended.is_set():
        try:
            await trader.run(ended)
        except LostClaim as error:
            _log.warning("lost the claim", error=str(error))


async def project(projector: Projector, standing: TapeStanding, ended: asyncio.Event) -> None:
    """Run a tape's projector where its trader is: a process that stands by must not take the tables over."""
    while not ended.is_set():
        if not standing.trading:
            await asyncio.sleep(LOOK_SECONDS)
            continue
        try:
            await projector.run(ended)
        except ProjectorSuperseded as error:
            _log.warning("projector superseded", error=str(error))
            await asyncio.sleep(AGAIN_SECONDS)


async def replay(feed: FileFeed, stop: asyncio.Event) -> None:
    """Run a feed; what is wrong in its file ends the feed alone."""
    try:
        await feed.run(stop)
    except FeedError as error:
        _log.error("feed stopped", error=str(error))
