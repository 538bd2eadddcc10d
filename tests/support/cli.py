"""The command line as a user meets it: real processes, with an environment of their own."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 60


class Said(NamedTuple):
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    def one_line(self) -> str:
        """The one line on stderr that a failure must be."""
        assert self.err.startswith("tapefold: "), self
        assert self.err.count("\n") == 1, self
        assert self.err.endswith("\n"), self
        return self.err.removeprefix("tapefold: ").rstrip()


class Cli:
    """Runs commands on one home, and on one database where it is named."""

    def __init__(self, home: Path, url: str | None = None) -> None:
        self.home = home
        self.url = url
        self._up: asyncio.subprocess.Process | None = None

    async def run(self, *arguments: str) -> Said:
        """Run a command to its end."""
        process = await self._start(*arguments)
        async with asyncio.timeout(SECONDS_MAX):
            out, err = await process.communicate()
        assert process.returncode is not None
        return Said(process.returncode, out.decode(), err.decode())

    @asynccontextmanager
    async def up(self) -> AsyncIterator[str]:
        """A running `tapefold up` on a free port; gives where it listens, and ends it with SIGTERM."""
        process = self._up = await self._start("up", "--port", "0")
        try:
            assert process.stdout is not None
            async with asyncio.timeout(SECONDS_MAX):
                while b"listening on" not in (line := await process.stdout.readline()):
                    assert line, (await process.communicate())[1].decode()
            yield line.decode().split()[-1]
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(SECONDS_MAX):
                await process.communicate()
        assert process.returncode == 0

    async def stop(self) -> None:
        """End the running `tapefold up` with SIGTERM."""
        assert self._up is not None
        self._up.send_signal(signal.SIGTERM)
        await self._up.wait()

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        environment = {**os.environ, "TAPEFOLD_HOME": str(self.home), "PYTHONPATH": str(ROOT)}
        if self.url is not None:
            environment["TAPEFOLD_DATABASE_URL"] = self.url
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.cli", *arguments,
            env=environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
