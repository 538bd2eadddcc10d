"""One installation: a database and the log in it; for a command, a database that is lent or started.

The daemon is not known here, so that a command need not import its parts.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar

import asyncpg
import uvloop

from daemon import logs
from daemon.database import Database, DatabaseRefused, DatabaseUnreachable, one_line
from daemon.settings import PREFIX, SettingError, Settings, read
from ops.errors import StartError
from ops.home import FACTS_NAME, Home, default_home
from ops.log_choice import open_log
from ops.migrations import migrate
from ops.postgres import find_binaries, use_or_start
from ops.setting_faults import refusal_of
from streams.log.contract import ClaimHeld, Log, LogUnavailable, OutcomeUnknown

T = TypeVar("T")

APPLICATION: Final = "tapefold"
LOG_CONNECTIONS_MAX: Final = 4

# What the database may do to a command at any moment, each told in one line.
_TROUBLE: Final = (
    DatabaseRefused,
    DatabaseUnreachable,
    LogUnavailable,
    OutcomeUnknown,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
)


@dataclass(frozen=True)
class Installation:
    """A database that is up to date, with the log in it: what every command works on."""

    database: Database
    log: Log


def read_settings(**given: object) -> Settings:
    """The settings, with what the command line gave; a wrong one is one line for the user."""
    try:
        settings = read(**given)
    except SettingError as error:
        raise refusal_of(error, given) from None
    if given.get("home") is None and os.environ.get(f"{PREFIX}HOME") == "":
        # It would be the folder that the shell happens to stand in.
        raise StartError(f"{PREFIX}HOME: must name a folder, not ''; unset it for the default one")
    return settings


async def open_installation(
    settings: Settings,
    dsn: str,
    stack: AsyncExitStack,
    application: str = APPLICATION,
    *,
    tapes: int | None = None,
) -> Installation:
    """Migrate and open a database and its log; both are closed with the stack.

    A log that is new gets so many tapes, one by default; another is refused if it has not so many. Raises
    `StartError` with one line for the user.
    """
    await migrate(dsn)
    try:
        database = await Database.open(dsn, application)
        stack.push_async_callback(database.close)
        # A pool of its own: however many requests read, an append or a commit never waits for a connection.
        log_database = await Database.open(dsn, f"{application} log", connections_max=LOG_CONNECTIONS_MAX)
        stack.push_async_callback(log_database.close)
        log = await open_log(settings, log_database, tapes=tapes)
        stack.push_async_callback(log.close)
    except (DatabaseRefused, DatabaseUnreachable, LogUnavailable) as error:
        raise StartError(str(error)) from error
    return Installation(database, log)


async def open_named(
    settings: Settings,
    dsn: str,
    stack: AsyncExitStack,
    application: str = APPLICATION,
    *,
    tapes: int | None = None,
) -> Installation:
    """Open the installation that the settings led to.

    Where they name a database, so does the `StartError`, and it says what would be right.
    """
    try:
        return await open_installation(settings, dsn, stack, application, tapes=tapes)
    except StartError as error:
        if settings.database_url is None:
            raise
        raise StartError(f"{PREFIX}DATABASE_URL: {error}{_advice(error)}") from error


def _advice(error: BaseException) -> str:
    cause: BaseException | None = error
    while cause is not None:
        match cause:
            case socket.gaierror():
                return "; name a host that exists"
            case OSError():
                return "; name a host and port, or a socket's folder, at which PostgreSQL listens"
            case asyncpg.InvalidAuthorizationSpecificationError():
                return "; give a user and password that it takes, percent-encoded (@ as %40)"
            case asyncpg.InvalidCatalogNameError():
                return "; create it, or name another after the last /"
        cause = cause.__cause__
    return ""


def run_command(work: Coroutine[Any, Any, T]) -> T:
    """Run a command to its end. SIGTERM ends it like SIGINT: what it started is stopped, and it says nothing.

    Warnings of the parts below go to stderr: stdout is the command's answer alone.
    """
    logs.configure("console", "warning", sys.stderr)

    async def watched() -> T:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return uvloop.run(watched())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


@asynccontextmanager
async def use_installation(
    settings: Settings,
    application: str,
    *,
    must_exist: bool = False,
    alone: bool = False,
    hint: str = "",
    tapes: int | None = None,
) -> AsyncIterator[Installation]:
    """The home's database, the running one or one started for the moment, or that of a URL, with its log.

    With `must_exist` a home that holds no database is refused instead of made; `hint` says what the command
    offers then. With `alone` the home's lock and every tape's claim are held meanwhile: no daemon may run.
    `tapes` as in `open_installation`. All that the database may do to the caller becomes a `StartError` with
    one line for the user.
    """
    try:
        async with AsyncExitStack() as stack:
            dsn = await _database(settings, stack, must_exist=must_exist, alone=alone, hint=hint)
            installation = await open_named(settings, dsn, stack, application, tapes=tapes)
            if alone:
                await _claim_all(installation, application)
            yield installation
    except _TROUBLE as error:
        raise StartError(f"the database failed: {one_line(error)}") from error


async def _database(
    settings: Settings, stack: AsyncExitStack, *, must_exist: bool, alone: bool, hint: str
) -> str:
    path = settings.home or default_home()
    if settings.database_url is not None:
        # A daemon holds its home's lock beside any database, but the database may have been moved to us.
        if alone and _is_home(path):
            stack.enter_context(Home.open(path).lock())
        return settings.database_url
    if must_exist and not _is_home(path):
        raise StartError(
            f"there is no Tapefold home at {path}: start `{_up(path)}` first, or name another with "
            f"--home{hint}"
        )
    home = Home.open(path)
    if must_exist and home.database is None:
        raise StartError(f"the home {path} holds no database yet: start `{_up(path)}` first{hint}")
    if alone:
        stack.enter_context(home.lock())
    return await stack.enter_async_context(use_or_start(home, find_binaries(settings.postgres_bin)))


def _up(path: Path) -> str:
    return "tapefold up" if path == default_home() else f"tapefold up --home {shlex.quote(str(path))}"


def _is_home(path: Path) -> bool:
    folder = path.expanduser()
    try:
        # What is no folder, or cannot even be looked at: whoever opens it says why.
        return (folder / FACTS_NAME).exists() or (folder.exists() and not folder.is_dir())
    except OSError:
        return True


async def _claim_all(installation: Installation, application: str) -> None:
    """Hold every tape, so that no trader starts meanwhile; the log gives them back when it is closed."""
    for tape in range(installation.log.tapes):
        try:
            await installation.log.claim(tape, application)
        except ClaimHeld as held:
            raise StartError(f"the daemon must be stopped for this: {held}") from None
