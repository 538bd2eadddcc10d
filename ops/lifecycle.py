"""Start order, signals, drain within a limit, stop order.

Start: home and its lock → port → database → migrations → read models → stages → API → feeds.
Stop (SIGTERM, SIGINT): no new requests → what was taken is appended, decided and projected → stages → log →
database. A second signal, or a limit that has passed, cuts the drain short and loses nothing: all that was
acknowledged is durable.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Final, NamedTuple

import structlog
from aiohttp import web

from api.server import make_runner
from daemon.settings import PREFIX, Settings
from ops import collector
from ops.beginning import make_admin_key, say_no_admin_key, say_places
from ops.errors import StartError
from ops.home import Home, default_home
from ops.installation import open_named
from ops.listening import BACKLOG, listen, url_of
from ops.log_choice import EMBEDDED
from ops.postgres import EmbeddedPostgres, PostgresGone, find_binaries
from ops.roles import Role
from ops.starting import read_models, start_stages, start_watching
from ops.stopping import Stop
from ops.supervision import replay
from ops.wiring import Daemon, build_daemon
from streams.sources.files import FileFeed
from streams.sources.rows import FeedError
from streams.stages.snapshotting import Pace

STAGE_SECONDS_MAX: Final = 2.0
"""How long a stage may take to end once it is told to."""
_log = structlog.get_logger("lifecycle")


class Feed(NamedTuple):
    """A price file to replay."""

    path: Path
    speed: float
    loop: bool


async def run_process(settings: Settings, role: Role) -> int:
    """Run one of several processes on an ordinary Postgres; returns the exit code. Raises `StartError`."""
    if settings.database_url is None:
        raise StartError(
            f"tapefold {role.name} works beside other processes on one PostgreSQL: name it by"
            f" {PREFIX}DATABASE_URL; on one machine `tapefold up` does everything"
        )
    if role.is_edge and settings.log == EMBEDDED:
        raise StartError(
            f"tapefold {role.name} works beside a log on Kafka, and there is none: {PREFIX}LOG is {EMBEDDED},"
            " so nothing is taken from topics or published to them"
        )
    collector.tune()
    stop = Stop(settings.drain_seconds)
    # Those that only tell of their health are many on one machine: any free port, unless one was given.
    port = settings.port if role.serves or "port" in settings.model_fields_set else 0
    async with AsyncExitStack() as stack:
        listener = stack.enter_context(listen(settings.host, port))
        installation = await open_named(settings, settings.database_url, stack, f"tapefold {role.name}")
        if role.is_edge:
            from ops.edges import prepare

            await prepare(installation.log, role)
        daemon = build_daemon(installation, role, _pace(settings), settings.instance)
        stack.push_async_callback(daemon.projecting.close)
        if role.serves:
            await say_no_admin_key(installation)
        return await _guarded(daemon, settings, stop, listener, [], [])


async def run_daemon(settings: Settings, feeds: Sequence[Feed]) -> int:
    """Run `tapefold up`; returns the exit code. Raises `StartError` where it cannot start."""
    collector.tune()
    stop = Stop(settings.drain_seconds)
    async with AsyncExitStack() as stack:
        home = Home.open(settings.home or default_home())
        stack.enter_context(home.lock())
        listener = stack.enter_context(listen(settings.host, settings.port))
        postgres, dsn = await _database(settings, home, stack)
        installation = await open_named(settings, dsn, stack)
        say_places(home, is_embedded=postgres is not None)
        daemon = build_daemon(installation, snapshots=_pace(settings))
        stack.push_async_callback(daemon.projecting.close)
        files = [_feed(daemon, each) for each in feeds]
        await make_admin_key(installation, home)
        side: list[asyncio.Task[None]] = []
        if postgres is not None:
            side.append(asyncio.create_task(postgres.watch(), name="postgres"))
        return await _guarded(daemon, settings, stop, listener, files, side)


async def _guarded(
    daemon: Daemon,
    settings: Settings,
    stop: Stop,
    listener: socket.socket,
    feeds: Sequence[FileFeed],
    side: list[asyncio.Task[None]],
) -> int:
    """Run, and end what runs beside the stages whatever happens."""
    try:
        return await _run(daemon, settings, stop, listener, feeds, side)
    finally:
        for task in side:
            task.cancel()
        await asyncio.gather(*side, return_exceptions=True)


async def _database(
    settings: Settings, home: Home, stack: AsyncExitStack
) -> tuple[EmbeddedPostgres | None, str]:
    if settings.database_url is not None:
        return None, settings.database_url
    postgres = EmbeddedPostgres(
        home,
        find_binaries(settings.postgres_bin),
        restarts_per_minute=settings.postgres_restarts_per_minute,
    )
    stack.push_async_callback(postgres.stop)
    await postgres.start()
    return postgres, postgres.dsn


def _pace(settings: Settings) -> Pace:
    return Pace(settings.snapshot_seconds, settings.snapshot_inputs)


def _feed(daemon: Daemon, feed: Feed) -> FileFeed:
    try:
        return FileFeed.open(feed.path, daemon.intake, feed.speed, loop=feed.loop)
    except FeedError as error:
        raise StartError(f"--feed: {error}") from error


# --- running ---------------------------------------------------------------------------------------------


async def _run(
    daemon: Daemon,
    settings: Settings,
    stop: Stop,
    listener: socket.socket,
    feeds: Sequence[FileFeed],
    side: list[asyncio.Task[None]],
) -> int:
    """Serve from the start, unready; then bring up the stages, and run until told to stop."""
    ended = asyncio.Event()
    stages: list[asyncio.Task[None]] = []
    runner = make_runner(daemon.app, access_log=None, shutdown_timeout=settings.drain_seconds / 3)
    try:
        async with _serving(runner, listener, stop):
            await stop.unless_asked(read_models(daemon))
            if not daemon.role.is_alone:
                _say_listening(listener)  # others may be long in coming: /health/ready tells
            side += start_watching(daemon)
            stages += start_stages(daemon, ended)
            if await _ready(daemon, [*stages, *side], stop):
                collector.settle()
                if daemon.role.is_alone:
                    _say_listening(listener)
                side.extend(asyncio.create_task(replay(each, stop.asked), name="feed") for each in feeds)
            watched = [*stages, *(task for task in side if task.get_name() != "feed")]
            code = await _until_stopped(watched, stop)
            daemon.status.stopping = True
        await _drain(daemon, stages, stop)
    finally:
        ended.set()
        daemon.share.close()
        await _end(stages)
    return code


def _say_listening(listener: socket.socket) -> None:
    host, port = listener.getsockname()[:2]
    sys.stdout.write(f"listening on {url_of(listener)}\n")
    sys.stdout.flush()
    _log.info("listening", host=host, port=port)


async def _ready(daemon: Daemon, watched: Sequence[asyncio.Task[None]], stop: Stop) -> bool:
    """Wait until every trader has folded and the read models have caught up."""
    while not stop.asked.is_set() and not any(task.done() for task in watched):
        health = daemon.status.tapes()
        if not daemon.status.unready() and all(each.projected >= each.reached for each in health):
            return True
        if daemon.standing.halted:
            return True  # serving says what stands still
        await asyncio.sleep(0.01)
    return False


async def _until_stopped(watched: Sequence[asyncio.Task[None]], stop: Stop) -> int:
    """Wait for a signal; a part that ends by itself is an error, and the process with it."""
    asked = asyncio.create_task(stop.asked.wait())
    try:
        await asyncio.wait([*watched, asked], return_when=asyncio.FIRST_COMPLETED)
    finally:
        asked.cancel()
    ended = [task for task in watched if task.done()]
    for task in ended:
        error = task.exception()
        _log.error(
            "a part of the daemon ended",
            part=task.get_name(),
            error="" if error is None else f"{type(error).__name__}: {error}",
            exc_info=None if error is None or isinstance(error, PostgresGone) else error,
        )
    return 1 if ended else 0


async def _drain(daemon: Daemon, stages: Sequence[asyncio.Task[None]], stop: Stop) -> None:
    """Let what was taken be appended, decided and projected."""
    closing = asyncio.create_task(daemon.intake.close())

    def is_done() -> bool:
        # Where others go on with it, what is durable is theirs to decide and to project.
        return closing.done() and (
            not daemon.role.is_alone
            or all(
                each.reached >= each.head and each.projected >= each.reached for each in daemon.status.tapes()
            )
        )

    while not is_done() and stop.may_drain():
        if any(task.done() for task in stages) or daemon.standing.halted:
            break
        await asyncio.sleep(0.01)
    closing.cancel()
    _log.info("drained" if is_done() else "drain cut short: what is acknowledged is durable")


async def _end(stages: Sequence[asyncio.Task[None]]) -> None:
    """The stages have been told to end; one that does not is cut off."""
    if stages:
        _, pending = await asyncio.wait(stages, timeout=STAGE_SECONDS_MAX)
        for task in pending:
            task.cancel()
    await asyncio.gather(*stages, return_exceptions=True)


@asynccontextmanager
async def _serving(runner: web.AppRunner, listener: socket.socket, stop: Stop) -> AsyncIterator[None]:
    """Answer requests; on leaving, those under way are answered and no others taken."""
    await runner.setup()
    try:
        await web.SockSite(runner, listener, backlog=BACKLOG).start()
        yield
    finally:
        await stop.unless_asked_again(runner.cleanup())
