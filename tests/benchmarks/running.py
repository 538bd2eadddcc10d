"""The daemon as its user starts it: `tapefold up` in a process of its own, on a home of its own."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from api.identity import keys
from api.identity.keys import Scope
from daemon.database import Database
from daemon.domain.values import Owner
from ops.home import Home
from ops.postgres.place import remove_database
from ops.postgres.supervisor import running_dsn
from projections.progress import get_progress
from streams.log.embedded import EmbeddedLog

READY_SECONDS_MAX = 60
PROJECTED_SECONDS_MAX = 120
APPEND_INPUTS = 500
_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "VIRTUAL_ENV", "TMPDIR", "LD_LIBRARY_PATH")


class Running:
    """A daemon that is ready, and what a benchmark needs to come at it."""

    def __init__(self, home: Path, port: int, session: aiohttp.ClientSession) -> None:
        self.home = home
        self.url = f"http://127.0.0.1:{port}"
        self.api = f"{self.url}/api/v1"
        self.session = session
        self.live_seconds = 0.0
        """From the start of the process to its first answer."""
        self.ready_seconds = 0.0
        """From the start of the process to the first 200 of /health/ready."""
        self.began_at = 0.0
        self._port = port
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start the daemon, and return when it is ready."""
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        command = [sys.executable, "-m", "ops.cli", "up", "--home", str(self.home), "--port", str(self._port)]
        self.began_at, began = time.time(), time.perf_counter()
        with (self.home.parent / "daemon.log").open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.live_seconds = 0.0
        while time.perf_counter() - began < READY_SECONDS_MAX and self._process.returncode is None:
            try:
                async with self.session.get(f"{self.url}/health/ready") as response:
                    self.live_seconds = self.live_seconds or time.perf_counter() - began
                    if response.status == 200:
                        self.ready_seconds = time.perf_counter() - began
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.005)
        raise RuntimeError(f"the daemon did not become ready: {self.log()[-2000:]}")

    async def stop(self) -> None:
        """Stop it as its user does."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    @property
    def rss_megabytes(self) -> float:
        """Resident memory of the daemon's process, in 10^6 bytes, without its database."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text(encoding="ascii")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6

    @property
    def pid(self) -> int:
        """The daemon's process."""
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        """What the daemon has said since its last start."""
        return (self.home.parent / "daemon.log").read_text(encoding="utf-8", errors="replace")

    def said(self, event: str) -> dict[str, Any]:
        """The fields of its log line of this event."""
        for line in self.log().splitlines():
            if line.startswith("{") and json.loads(line).get("event") == event:
                found: dict[str, Any] = json.loads(line)
                return found
        raise LookupError(event)

    async def dsn(self) -> str:
        """Its database."""
        dsn = await running_dsn(Home.open(self.home))
        assert dsn is not None
        return dsn

    async def key(self, owner: str, *scopes: Scope) -> dict[str, str]:
        """The headers of a new key."""
        async with self.database() as database:
            made = await keys.create(database.pool, name="benchmark", scopes=scopes, owner=Owner(owner))
        return {"X-API-Key": made.text}

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Its database, opened beside it."""
        database = await Database.open(await self.dsn(), "tapefold benchmark", connections_max=2)
        try:
            yield database
        finally:
            await database.close()

    async def append(self, inputs: Iterable[bytes]) -> None:
        """Put inputs onto the tape as another API process would, and wait until they can be read."""
        async with self.database() as database:
            log = await EmbeddedLog.open(database)
            try:
                await append_all(log, inputs)
                last = (await log.head(0)).tape
                async with asyncio.timeout(PROJECTED_SECONDS_MAX):
                    while not await _is_projected(database, last):
                        await asyncio.sleep(0.02)
            finally:
                await log.close()


async def _is_projected(database: Database, offset: int) -> bool:
    progress = await get_progress(database.pool, 0)
    return progress is not None and progress.tape_offset >= offset


async def append_all(log: EmbeddedLog, inputs: Iterable[bytes]) -> None:
    """Append inputs in groups."""
    group: list[bytes] = []
    size = 0
    for each in inputs:
        group.append(each)
        size += len(each)
        if len(group) >= APPEND_INPUTS or size > 1_000_000:
            await log.append(0, group)
            group, size = [], 0
    if group:
        await log.append(0, group)


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A temporary folder, removed with what the embedded Postgres keeps elsewhere for the home in it."""
    path = Path(tempfile.mkdtemp(prefix="tapefold-bench-"))
    try:
        yield path
    finally:
        if (path / "home").exists():
            remove_database(Home.open(path / "home"))
        shutil.rmtree(path, ignore_errors=True)


@asynccontextmanager
async def running() -> AsyncIterator[Running]:
    """A daemon on an empty home, ready; stopped and removed afterwards."""
    async with AsyncExitStack() as stack:
        path = await stack.enter_async_context(folder())
        connector = aiohttp.TCPConnector(limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        daemon = Running(path / "home", free_port(), session)
        stack.push_async_callback(daemon.stop)
        await daemon.start()
        yield daemon


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port
