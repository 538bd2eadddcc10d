"""A database for a command that is not the daemon: the running one, or one started for the moment."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from ops.errors import refusal
from ops.home import Home, HomeInUse, open_private
from ops.postgres.binaries import Binaries
from ops.postgres.place import OUTSIDE
from ops.postgres.supervisor import EmbeddedPostgres, running_dsn

USERS_NAME = "users"
# How long a daemon that holds the home may take until its database answers.
WAIT_SECONDS_MAX = 30
# How long the command that started the database waits for others that came to use it.
OTHERS_SECONDS_MAX = 600


@asynccontextmanager
async def use_or_start(home: Home, binaries: Binaries, *, outside: Path = OUTSIDE) -> AsyncIterator[str]:
    """Yield the DSN of the home's database, started if it does not run, and then stopped again.

    A database that ran before is left running. A caller that holds the home's lock keeps it; otherwise it
    is held for as long as a database that this call started runs. Raises HomeInUse if another process holds
    the home and its database does not answer.
    """
    with _counted_as_user(home) as user:
        dsn = await running_dsn(home)
        if dsn is None:
            held_before = home.is_locked_by_us
            try:
                lock = None if held_before else home.lock()
            except HomeInUse:
                # The daemon is starting its database, or another command is.
                dsn = await _wait_for_another(home)
            else:
                try:
                    async with _started(home, binaries, user, outside) as started:
                        yield started
                finally:
                    if lock is not None:
                        lock.release()
                return
        yield dsn


@asynccontextmanager
async def _started(home: Home, binaries: Binaries, user: int, outside: Path) -> AsyncIterator[str]:
    postgres = EmbeddedPostgres(home, binaries, outside=outside)
    try:
        await postgres.start()
        yield postgres.dsn
    finally:
        if not postgres.was_adopted:
            await _wait_for_other_users(user)
            await postgres.stop()


async def _wait_for_another(home: Home) -> str:
    loop = asyncio.get_running_loop()
    end = loop.time() + WAIT_SECONDS_MAX
    while True:
        # Read anew: a first start writes down where the database lies while we wait.
        if dsn := await running_dsn(Home.open(home.path)):
            return dsn
        if loop.time() > end:
            home.lock().release()  # Says who holds it; or nobody does any more, and that is as strange.
            raise HomeInUse(home.path, "another process, whose database does not answer")
        await asyncio.sleep(0.1)


@contextmanager
def _counted_as_user(home: Home) -> Iterator[int]:
    """Hold a shared lock while using the database: who started it does not stop it under the others."""
    path = home.path / USERS_NAME
    try:
        descriptor = open_private(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise refusal("write to the home", home.path, error) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield descriptor
    finally:
        os.close(descriptor)


async def _wait_for_other_users(user: int) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + OTHERS_SECONDS_MAX
    while loop.time() < end:
        try:
            # Turning shared into exclusive succeeds only when no other process holds the shared one.
            fcntl.flock(user, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            await asyncio.sleep(0.1)
        else:
            return
