"""Kills and signals at chosen points, which chance finds too seldom."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from ops.home import Home
from ops.postgres import remove_database
from tests.kill.asks import Book
from tests.kill.posters import Sender
from tests.kill.victims import Daemon, free_port

POINTS = (
    ("ops.beginning", "write_private", "before"),
    ("ops.beginning", "write_private", "after"),
    ("api.identity.keys", "create", "after"),
)


def remove(daemon: Daemon) -> None:
    home = Home.open(daemon.home)
    with home.lock():
        remove_database(home)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "function", "when"), POINTS)
async def test_an_admin_key_is_left(tmp_path: Path, module: str, function: str, when: str) -> None:
    """Killed around the making of the first key, the next start leaves one in the home, and it works."""
    daemon = Daemon(tmp_path, free_port(7_000), ("tests.kill.dying", module, function, when))
    try:
        await daemon.start()
        assert await daemon.end() == -9
        daemon = Daemon(tmp_path, free_port(7_000))
        await daemon.start()
        await daemon.ready()
        key = (daemon.home / "admin.key").read_text(encoding="utf-8").strip()
        sender = Sender([daemon.base], "operator", key, Book(), random.Random(0))
        try:
            assert await sender.get("/api/v1/agents") == []
        finally:
            await sender.close()
    finally:
        await daemon.abandon()
    remove(daemon)


@pytest.mark.slow
async def test_a_late_second_signal_does_not_spoil_the_exit(tmp_path: Path) -> None:
    """A second SIGTERM after all has ended, on the process's last steps, leaves the exit code at 0."""
    daemon = Daemon(tmp_path, free_port(7_000), ("tests.kill.dying", "-", "-", "at-exit"))
    try:
        await daemon.start()
        await daemon.ready()
        daemon.send(signal.SIGTERM)
        assert await daemon.end() == 0
    finally:
        await daemon.abandon()
    remove(daemon)
