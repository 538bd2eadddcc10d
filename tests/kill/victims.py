"""The processes that are killed: the daemon, our child, and the postmaster of its home. No others, ever."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import asyncpg
from asyncpg.connection import Connection

from ops.home import Home
from ops.postgres.place import find_place
from ops.postgres.postmaster import Postmaster, find_postmaster
from ops.postgres.supervisor import running_dsn

ROOT: Final = Path(__file__).resolve().parents[2]
START_SECONDS_MAX: Final = 90.0
STOP_SECONDS_MAX: Final = 30.0
PORTS: Final = range(20_000, 30_000)
"""Below those that a system gives to outgoing connections, so that it stays ours over restarts."""
RESTARTS: Final = "100"
"""Of Postgres a minute: the default would end the daemon as soon as its limit is reached."""


class DidNotStart(Exception):
    """The daemon does not come up any more."""


class Child:
    """One process of ours, over all its lives."""

    def __init__(
        self,
        name: str,
        folder: Path,
        arguments: Sequence[str],
        settings: Mapping[str, str],
        launcher: Sequence[str] = ("ops.cli",),
    ) -> None:
        self.name = name
        self.folder = folder
        self.lives = 0
        self.notes: list[str] = []
        """Starts that ended by themselves, and what they said last."""
        self._arguments = arguments
        self._settings = settings
        self._launcher = launcher
        self._excused_in = 0
        self._process: asyncio.subprocess.Process | None = None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int:
        """The process of its present life."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_ready(self) -> bool:
        """Whether this life of it has ever said that it listens."""
        return b"listening on " in self.output.read_bytes()

    @property
    def output(self) -> Path:
        return self.folder / f"{self.name}-{self.lives:03d}.out"

    @property
    def errors(self) -> Path:
        return self.folder / f"{self.name}-{self.lives:03d}.err"

    def excuse(self) -> None:
        """What this life needs to start was taken from it: it may end by itself until it is ready."""
        self._excused_in = self.lives

    async def start(self) -> None:
        """Start it; it need not be ready."""
        assert not self.is_running
        self.lives += 1
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TAPEFOLD_")}
        environment |= self._settings
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._launcher, *self._arguments,
                cwd=ROOT, env=environment, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=errors,
            )  # fmt: skip

    async def ready(self) -> None:
        """Return when it says that it listens; start it again where what it needs was killed meanwhile."""
        end = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready:
            if not self.is_running:
                lines = self.errors.read_text(errors="replace").strip().splitlines()
                said = f"{self.name}, life {self.lives}: {lines[-1] if lines else 'said nothing'}"[:400]
                if self._excused_in != self.lives:
                    raise DidNotStart(f"a start ended by itself, and nobody had killed its database: {said}")
                self.notes.append(said)
                await asyncio.sleep(0.1)
                await self.start()
            if time.monotonic() > end:
                raise DidNotStart(f"not ready after {START_SECONDS_MAX:.0f} s: see {self.errors.name}")
            await asyncio.sleep(0.02)

    async def kill(self) -> None:
        """Kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(number)

    async def end(self, seconds: float = STOP_SECONDS_MAX) -> int:
        """Its exit code; raises `TimeoutError` if it goes on."""
        assert self._process is not None
        async with asyncio.timeout(seconds):
            return await self._process.wait()


class Daemon(Child):
    """`tapefold up` on one home."""

    def __init__(self, folder: Path, port: int, launcher: Sequence[str] = ("ops.cli",)) -> None:
        self.home = folder / "home"
        self.base = f"http://127.0.0.1:{port}"
        super().__init__(
            "daemon", folder, ("up", "--home", str(self.home), "--port", str(port)),
            {"TAPEFOLD_POSTGRES_RESTARTS_PER_MINUTE": RESTARTS}, launcher,
        )  # fmt: skip

    # --- its Postgres ------------------------------------------------------------------------------------

    def postmaster(self) -> Postmaster | None:
        """The running postmaster of this very home, as its command line says."""
        if not self.home.exists():
            return None
        place = find_place(Home.open(self.home))
        return None if place is None else find_postmaster(place.data)

    def kill_postgres(self) -> bool:
        """Kill -9 of the postmaster; False if none runs now."""
        found = self.postmaster()
        if found is None:
            return False
        self.excuse()
        found.send(signal.SIGKILL)
        return True

    async def connect(self) -> Connection:
        """A session on the home's database, as soon as it answers."""
        end = time.monotonic() + START_SECONDS_MAX
        while True:
            dsn = await running_dsn(Home.open(self.home))
            if dsn is not None:
                try:
                    return await asyncpg.connect(dsn, timeout=5)
                except (asyncpg.PostgresError, OSError, TimeoutError):
                    pass
            if time.monotonic() > end:
                raise DidNotStart("the database does not answer any more")
            await asyncio.sleep(0.05)

    async def abandon(self) -> None:
        """Whatever still runs of it ends: for leaving."""
        await self.kill()
        found = self.postmaster()
        if found is not None:
            await asyncio.to_thread(found.stop_now)


def free_port(start: int) -> int:
    """A port that nobody uses now."""
    for number in range(len(PORTS)):
        port = PORTS[(start + number) % len(PORTS)]
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")
