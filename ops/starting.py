"""What a process brings up by its role: the read models first, then what watches, then the stages."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ops.revocations import hear_revocations
from ops.supervision import project, trade
from ops.watching import watch_progress, watch_traders
from ops.wiring import Daemon
from projections import rebuild, schema
from projections.merging import FoldFailed

WAIT_SECONDS: Final = 0.5
"""Between two looks for read models of this version."""

_log = structlog.get_logger("starting")


def start_watching(daemon: Daemon) -> list[asyncio.Task[None]]:
    """Begin what runs beside the stages for as long as the process."""
    database, standing = daemon.installation.database, daemon.standing
    work = {
        "status": daemon.status.watch(),
        "read models": watch_progress(daemon.progress, standing, database.pool),
        "traders": watch_traders(standing, daemon.installation.log, database.pool),
    }
    if daemon.role.serves:
        work["keys"] = hear_revocations(database, daemon.keys)
    if daemon.role.shares:
        work["share"] = daemon.share.watch(database)
    return [asyncio.create_task(each, name=name) for name, each in work.items()]


def start_stages(daemon: Daemon, ended: asyncio.Event) -> list[asyncio.Task[None]]:
    """Begin the stages of every tape, each of which waits until the tape is its own."""
    stages: list[asyncio.Task[None]] = []
    role, share = daemon.role, daemon.share
    for tape, place in enumerate(daemon.standing.tapes):
        if role.trades:
            trading = trade(daemon.traders[tape], tape, share, ended)
            stages.append(asyncio.create_task(trading, name="trader"))
        if role.projects:
            projecting = project(
                daemon.projectors[tape],
                tape,
                place,
                daemon.projecting,
                share if role.trades else None,
                ended,
            )
            stages.append(asyncio.create_task(projecting, name="projector"))
    if role.is_edge:
        # Faust, and a second of imports, for those alone that ask for it.
        from ops.edges import start_edges

        stages += start_edges(daemon, ended)
    return stages


async def read_models(daemon: Daemon) -> None:
    """Make sure that there are read models of this version, as far as this process may make them."""
    pool = daemon.installation.database.pool
    if daemon.role.is_alone:
        await _fold_anew(daemon)
    elif daemon.role.projects:
        async with pool.acquire() as connection:
            await schema.prepare(connection)
    else:
        daemon.status.rebuilding = True
        while True:
            async with pool.acquire() as connection:
                if await schema.is_there(connection):
                    break
            await asyncio.sleep(WAIT_SECONDS)
        daemon.status.rebuilding = False


async def _fold_anew(daemon: Daemon) -> None:
    """Make the read models; another shape than this version's is folded anew, unready until done."""
    log, database = daemon.installation.log, daemon.installation.database
    async with database.pool.acquire() as connection:
        is_new = await schema.prepare(connection)
    heads = [await log.head(tape) for tape in range(log.tapes)]
    if not is_new or all(head.journal < 0 for head in heads):
        return
    _log.info("rebuilding the read models", journal=sum(head.journal + 1 for head in heads))
    daemon.status.rebuilding = True
    try:
        result = await rebuild.rebuild(log, database)
    except FoldFailed as error:
        # The projector folds what lies before it, halts there and says so; the API serves that far.
        _log.error("rebuild failed", tape_offset=error.offset, error=str(error))
        async with database.pool.acquire() as connection:
            await schema.prepare(connection)
    else:
        _log.info("rebuilt", events=result.events, seconds=round(result.seconds, 1))
    daemon.status.rebuilding = False
