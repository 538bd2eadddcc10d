"""The composition root: the only module that builds things and joins them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from api.app import create_app
from api.identity.keys import KeyRing
from api.ports import Deps
from daemon.database import Database, DatabaseRefused, DatabaseUnreachable
from daemon.domain.commands import Input
from daemon.metrics import Metrics
from ops.errors import StartError
from ops.migrations import migrate
from ops.status import LiveStatus
from projections.progress import Progress
from streams.intake import Intake
from streams.log.contract import LogUnavailable
from streams.log.embedded import EmbeddedLog
from streams.stages.projector import Projector
from streams.stages.trader import Trader
from streams.standing import Standing, TapeStanding

APPLICATION = "tapefold"
LOG_CONNECTIONS_MAX = 4


@dataclass(frozen=True)
class Installation:
    """A database that is up to date, with the log in it: what every command works on."""

    database: Database
    log: EmbeddedLog


@dataclass(frozen=True)
class Daemon:
    """All parts of `tapefold up`, joined but not yet running."""

    installation: Installation
    standing: Standing
    metrics: Metrics
    intake: Intake
    progress: Progress
    status: LiveStatus
    traders: Sequence[Trader]
    projectors: Sequence[Projector]
    app: web.Application


async def open_installation(dsn: str, stack: AsyncExitStack, application: str = APPLICATION) -> Installation:
    """Migrate and open a database and its log; both are closed with the stack.

    Raises `StartError` with one line for the user.
    """
    await migrate(dsn)
    try:
        database = await Database.open(dsn, application)
        stack.push_async_callback(database.close)
        # A pool of its own: however many requests read, an append or a commit never waits for a connection.
        log_database = await Database.open(dsn, f"{application} log", connections_max=LOG_CONNECTIONS_MAX)
        stack.push_async_callback(log_database.close)
        log = await EmbeddedLog.open(log_database)
        stack.push_async_callback(log.close)
    except (DatabaseRefused, DatabaseUnreachable, LogUnavailable) as error:
        raise StartError(str(error)) from error
    return Installation(database, log)


def build_daemon(installation: Installation) -> Daemon:
    """Join all parts of one process that holds every tape."""
    log, database = installation.log, installation.database
    standing = Standing([TapeStanding() for _ in range(log.tapes)])
    metrics, progress = Metrics(), Progress()
    intake = Intake(log, standing, metrics)
    status = LiveStatus(standing, progress, metrics, database.pool)

    def append_to(tape: int) -> Callable[[Input], Awaitable[int]]:
        async def append(item: Input) -> int:
            return (await intake.put_on(tape, item)).offset

        return append

    async def on_halt(stage: str, tape: int, offset: int, error: Exception) -> None:
        standing.halt(stage, tape, offset, f"{type(error).__name__}: {error}")

    tapes = range(log.tapes)
    traders = [Trader(log, tape, standing, metrics, append_to(tape)) for tape in tapes]
    projectors = [Projector(log, tape, database, progress, on_halt) for tape in tapes]
    app = create_app(
        Deps(
            intake=intake,
            progress=progress,
            status=status,
            reader=database.pool,
            keys=KeyRing(database.pool),
            metrics=metrics,
        )
    )
    return Daemon(installation, standing, metrics, intake, progress, status, traders, projectors, app)
