"""The daemon of the demo: the real `tapefold up`, as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from daemon.settings import PREFIX
from ops.beginning import ADMIN_KEY_NAME
from ops.errors import StartError
from ops.home import open_private

HOST: Final = "127.0.0.1"
PORT: Final = 4000
LOG_NAME: Final = "daemon.log"
LISTENING: Final = "listening on "
START_SECONDS_MAX: Final = 120
STOP_SECONDS_MAX: Final = 30
"""Longer than its own limit for draining, with the time that its database takes."""
LAST_BYTES: Final = 4_000
LAST_LENGTH_MAX: Final = 300
# The demo has a home, a port and a database of its own, whatever is set for the daemon of this user.
_SETTINGS_KEPT: Final = frozenset({"TAPEFOLD_POSTGRES_BIN"})


class DaemonProcess:
    """`tapefold up` on a home. `start` returns when it listens; `stop` when all of it has ended."""

    def __init__(self, home: Path, log_url: str | None = None) -> None:
        self._home = home
        self._log_url = log_url
        self._log_began = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._url: asyncio.Future[str] | None = None

    @property
    def log(self) -> Path:
        """What it says."""
        return self._home / LOG_NAME

    @property
    def has_ended(self) -> bool:
        """Whether it ended, by itself or because it was told to."""
        return self._process is None or self._process.returncode is not None

    async def start(self, port: int | None, feed: Path, speed: float) -> str:
        """Start it, and return its URL. Without a port it takes 4000, or a free one where that is taken."""
        if port and not is_free(port):
            raise StartError(
                f"cannot listen on {HOST}:{port}: the port is in use; give another with --port "
                f'(make demo DEMO_ARGS="--port 4001"), or none: then a free one is taken'
            )
        chosen = port if port is not None else PORT if is_free(PORT) else 0
        arguments = ["up", "--home", str(self._home), "--host", HOST, "--port", str(chosen)]
        arguments += ["--feed", str(feed), "--feed-speed", f"{speed:g}", "--feed-loop"]
        self._process = await self._spawn(arguments)
        self._url = asyncio.get_running_loop().create_future()
        self._reading = asyncio.create_task(self._read())
        try:
            return await asyncio.wait_for(self._url, START_SECONDS_MAX)
        except TimeoutError:
            raise StartError(f"the daemon does not start: see {self.log}") from None

    def admin_key(self) -> str:
        """The key that it made for whoever started it."""
        path = self._home / ADMIN_KEY_NAME
        try:
            return path.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise StartError(
                f"cannot read the admin key {path}: {error.strerror}; name another home with --home"
            ) from error

    async def stop(self) -> bool:
        """Let it drain and end with its database; False if it had to be killed."""
        process = self._process
        if process is None:
            return True
        in_time = True
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_SECONDS_MAX)
            except TimeoutError:
                in_time = False
                with suppress(ProcessLookupError):
                    process.kill()
        await process.wait()
        if self._reading is not None:
            await self._reading
        return in_time

    async def _spawn(self, arguments: Sequence[str]) -> asyncio.subprocess.Process:
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("TAPEFOLD_") or name in _SETTINGS_KEPT
        }
        if self._log_url is not None:
            kept[f"{PREFIX}LOG"] = self._log_url
        log = open_private(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            self._log_began = os.fstat(log).st_size
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "ops.cli",
                *arguments,
                env=kept,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                # Ctrl-C is for the demo, which then stops the daemon in good order.
                start_new_session=True,
            )
        finally:
            os.close(log)

    async def _read(self) -> None:
        """Read its output to the end, and of that only where it listens: a line of it is a key."""
        if self._process is None or self._process.stdout is None or self._url is None:
            raise AssertionError("reading before the start")
        async for line in self._process.stdout:
            text = line.decode(errors="replace").strip()
            if text.startswith(LISTENING) and not self._url.done():
                self._url.set_result(text.removeprefix(LISTENING))
        await self._process.wait()
        if not self._url.done():
            self._url.set_exception(self.ended())

    def ended(self) -> StartError:
        """Why it ended, by the last line of its log, which may be gone with its home."""
        with self.log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_began, size - LAST_BYTES))
            lines = file.read().decode(errors="replace").strip().splitlines()
        last = lines[-1] if lines else ""
        if last.startswith("tapefold: "):
            return StartError(last.removeprefix("tapefold: "))
        code = None if self._process is None else self._process.returncode
        said = last[:LAST_LENGTH_MAX] or "nothing"
        return StartError(f"the daemon ended by itself (exit code {code}); the last it said: {said}")


def is_free(port: int) -> bool:
    """Whether a port of this machine can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
