"""The composition root: builds the daemon's parts and joins them, on a database and log that are open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from aiohttp import web

from api.app import create_app
from api.identity.keys import KeyRing
from api.ports import Deps
from daemon.domain.commands import Input
from daemon.metrics import Metrics
from ops.installation import Installation
from ops.roles import UP, Role
from ops.status import LiveStatus
from projections.progress import Progress
from streams.intake import Intake
from streams.log.claim_locks import PROJECTIONS, ClaimLocks
from streams.sharing import Share
from streams.snapshots.postgres import PostgresSnapshots
from streams.stages.projector import Projector
from streams.stages.snapshotting import Pace, Snapshotter
from streams.stages.trader import Trader
from streams.standing import Standing, TapeStanding


@dataclass(frozen=True)
class Daemon:
    """All parts of one process, joined but not yet running."""

    installation: Installation
    standing: Standing
    metrics: Metrics
    intake: Intake
    progress: Progress
    status: LiveStatus
    traders: Sequence[Trader]
    projectors: Sequence[Projector]
    keys: KeyRing
    app: web.Application
    share: Share
    projecting: ClaimLocks
    """Who projects which tape, among all processes."""
    role: Role
    instance: str
    """The name of this process among those of its kind."""


def build_daemon(
    installation: Installation, role: Role = UP, snapshots: Pace | None = None, instance: str = ""
) -> Daemon:
    """Join all parts of one process; which of them run is up to its role. No snapshots without a pace."""
    log, database = installation.log, installation.database
    standing = Standing([TapeStanding() for _ in range(log.tapes)])
    metrics, progress = Metrics(), Progress()
    intake = Intake(log, standing, metrics)
    status = LiveStatus(standing, progress, metrics, database.pool, log)

    def append_to(tape: int) -> Callable[[Input], Awaitable[int]]:
        async def append(item: Input) -> int:
            return (await intake.put_on(tape, item)).offset

        return append

    async def on_halt(stage: str, tape: int, offset: int, error: Exception) -> None:
        standing.halt(stage, tape, offset, f"{type(error).__name__}: {error}")

    tapes = range(log.tapes)
    store = PostgresSnapshots(database.pool)
    traders = [
        Trader(log, tape, standing, metrics, append_to(tape), Snapshotter(tape, metrics, store, snapshots))
        for tape in tapes
    ]
    projectors = [Projector(log, tape, database, progress, on_halt) for tape in tapes]
    ring = KeyRing(database.pool)
    app = create_app(
        Deps(
            intake=intake,
            progress=progress,
            status=status,
            reader=database.pool,
            keys=ring,
            metrics=metrics,
        ),
        only_health=not role.serves,
    )
    return Daemon(
        installation=installation,
        standing=standing,
        metrics=metrics,
        intake=intake,
        progress=progress,
        status=status,
        traders=traders,
        projectors=projectors,
        keys=ring,
        app=app,
        share=Share(log.tapes),
        projecting=ClaimLocks(database, PROJECTIONS),
        role=role,
        instance=instance,
    )
