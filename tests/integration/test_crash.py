"""What clients see when a database is killed, and when a second daemon stands by."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.beginning import ADMIN_KEY_NAME
from ops.home import Home
from ops.postgres.place import find_place
from ops.postgres.postmaster import find_postmaster
from tests.support.cli import Cli

pytestmark = pytest.mark.slow
SECONDS_MAX = 60


def key_of(home: Path) -> dict[str, str]:
    return {"X-API-Key": (home / ADMIN_KEY_NAME).read_text().strip()}


async def agents(http: aiohttp.ClientSession, url: str) -> list[Any] | None:
    """The agents as listed; None while there is no answer."""
    try:
        async with http.get(f"{url}/api/v1/agents") as answer:
            return await answer.json() if answer.status == 200 else None
    except aiohttp.ClientError:
        return None


async def test_what_was_acknowledged_is_read_again_after_a_crash(tmp_path: Path) -> None:
    """The database is killed right after a 201, and nobody writes again: the rows come back by themselves."""
    home = tmp_path / "home"
    async with Cli(home).up() as url, aiohttp.ClientSession(headers=key_of(home)) as http:
        for number in range(20):
            async with http.post(f"{url}/api/v1/agents", json={"name": f"agent {number}"}) as answer:
                assert answer.status == 201
        place = find_place(Home.open(home))
        assert place is not None
        postmaster = find_postmaster(place.data)
        assert postmaster is not None
        os.kill(postmaster.pid, signal.SIGKILL)
        async with asyncio.timeout(SECONDS_MAX):
            while len(await agents(http, url) or ()) < 20:
                await asyncio.sleep(0.05)


async def test_a_second_daemon_stands_by_and_takes_over(tmp_path: Path, database_url: str) -> None:
    """On one database the second daemon disturbs nothing, and goes on when the first one is killed."""
    first, second = Cli(tmp_path / "a", database_url), Cli(tmp_path / "b", database_url)
    async with first.up() as url, aiohttp.ClientSession(headers=key_of(tmp_path / "a")) as http:
        waiting = await second._start("up", "--port", "0")
        try:
            assert waiting.stderr is not None
            assert waiting.stdout is not None
            async with asyncio.timeout(SECONDS_MAX):
                while b"standing by" not in (line := await waiting.stderr.readline()):
                    assert line
            for number in range(5):
                async with http.post(f"{url}/api/v1/agents", json={"name": f"agent {number}"}) as answer:
                    assert answer.status == 201
            assert await agents(http, url) is not None
            asked = await http.get(f"{url}/health/ready")
            assert asked.status == 200
            # The first one ends, the second one trades.
            await first.stop()
            async with asyncio.timeout(SECONDS_MAX):
                while b"listening on" not in (line := await waiting.stdout.readline()):
                    assert line
            assert len(await agents(http, line.decode().split()[-1]) or ()) == 5
        finally:
            if waiting.returncode is None:
                waiting.send_signal(signal.SIGTERM)
            await waiting.communicate()
    assert waiting.returncode == 0
