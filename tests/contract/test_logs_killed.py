"""Logs under kill -9 of real processes: posters, traders, Postgres and Kafka themselves."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import NamedTuple, Self

import pytest

from daemon.records import TapeRecord
from ops.migrations import migrate
from streams.log.contract import ClaimHeld, Log
from streams.log.kafka_address import parse_url
from streams.log.kafka_topics import create
from tests.support.kafka.server import Broker
from tests.support.log_child import FENCED, Trader, opened
from tests.support.postgres import Server

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 60.0
FROZEN_SECONDS = 6.0
"""Longer than anybody waits for an answer of the broker."""


class Place(NamedTuple):
    """Where a log is: a database, and the engine or address of the log."""

    database: str
    log: str


@pytest.fixture(params=["embedded", "kafka"])
def _place(request: pytest.FixtureRequest) -> Place:
    database_url = request.getfixturevalue("database_url")
    if request.param == "embedded":
        return Place(database_url, "embedded")
    broker, prefix = (request.getfixturevalue(name) for name in ("kafka_broker", "kafka_prefix"))
    return Place(database_url, f"{broker.url}/{prefix}")


@pytest.fixture
async def place(_place: Place) -> Place:
    """An empty log of each engine that outlives its processes."""
    if _place.log != "embedded":
        await create(parse_url(_place.log), 1)
    return _place


class Child:
    """One process and what it has said was acknowledged, over all its lives."""

    def __init__(self, place: Place, role: str, name: str) -> None:
        self.command = (sys.executable, "-m", "tests.support.log_child", *place, role, name)
        self.said: list[list[str]] = []
        self.process: asyncio.subprocess.Process

    async def start(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *self.command, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        return self

    async def hear(self, lines: int) -> None:
        """Return when it has said so much more."""
        assert self.process.stdout is not None
        for _ in range(lines):
            line = await self.process.stdout.readline()
            assert line.endswith(b"\n"), f"{self.command[-2:]} has ended: {await self.process.wait()}"
            self.said.append(line.decode().split())

    async def kill(self) -> None:
        """Kill -9, then hear all that it had still said: what it wrote before was acknowledged."""
        if self.process.returncode is None:
            self.process.kill()
        await self.end()

    async def end(self) -> int:
        """Hear it until it ends; how it has ended."""
        assert self.process.stdout is not None
        rest = await self.process.stdout.read()
        self.said += [
            line.decode().split() for line in rest.splitlines(keepends=True) if line.endswith(b"\n")
        ]
        return await self.process.wait()


@asynccontextmanager
async def children(place: Place, *roles: str) -> AsyncIterator[list[Child]]:
    async with AsyncExitStack() as stack, asyncio.timeout(SECONDS_MAX):
        made = []
        for number, role in enumerate(roles):
            made.append(await Child(place, role, f"tapefold {role}{number}").start())
            stack.push_async_callback(made[-1].kill)
        yield made


async def check(place: Place, posters: list[Child], traders: list[Child]) -> None:
    """Every acknowledged append stands once at its offset, and every input has one entry in a sound chain."""
    async with opened(*place) as log:
        trader = Trader(log)
        claim = await trader.claim("tapefold check")
        entries = await trader.catch_up()
        tape = await whole_tape(log)
        assert [record.offset for record in tape] == list(range(len(tape)))
        texts = [record.data.decode() for record in tape]
        assert len(set(texts)) == len(texts)
        acknowledged = [line for poster in posters for line in poster.said]
        for _, first, count, text in acknowledged:
            run = texts[int(first) : int(first) + int(count)]
            assert run == [f"{text}-{each}" for each in range(int(count))]
        assert [entry.tape_offset for entry in entries] == list(range(claim.reached + 1))
        for entry in entries:
            assert entry.at == tape[entry.tape_offset].at
        commits = [line for each in traders for line in each.said]
        assert claim.journal >= max(int(last) for _, last, _ in commits)
        assert claim.reached >= max(int(reached) for _, _, reached in commits)


async def whole_tape(log: Log) -> list[TapeRecord]:
    found: list[TapeRecord] = []
    while more := await log.read_tape(0, len(found) - 1, 1000):
        found += more
    return found


async def test_killed_processes_lose_nothing(place: Place) -> None:
    """Posters and traders killed at any moment, a new trader each time: what was acknowledged stands."""
    async with children(place, "poster", "poster", "trader", "trader") as (one, two, first, second):
        for turn, lines in enumerate((3, 17, 1, 29)):
            await asyncio.gather(one.hear(lines), two.hear(lines))
            victim = (first, second)[turn % 2]
            # Whoever of the two holds the claim: killing the one lets the other say that it has committed.
            other = (second, first)[turn % 2]
            await victim.kill()
            await other.hear(lines)
            await victim.start()
            poster = (one, two)[turn % 2]
            await poster.kill()
            await poster.start()
        for child in (one, two, first, second):
            await child.kill()
        await check(place, [one, two], [first, second])


@pytest.mark.slow
async def test_a_killed_postgres_loses_nothing(own_server: Server) -> None:
    """Postgres killed under load: processes go on by themselves, and what was acknowledged stands."""
    url = own_server.url()
    await migrate(url)
    place = Place(url, "embedded")
    async with children(place, "poster", "poster", "trader") as (one, two, trader):
        for lines in (5, 40, 2, 13):
            await asyncio.gather(one.hear(lines), two.hear(lines), trader.hear(lines))
            own_server.kill()
            await own_server.ready()
        await asyncio.gather(one.hear(5), two.hear(5), trader.hear(5))
        for child in (one, two, trader):
            await child.kill()
        await check(place, [one, two], [trader])


@pytest.mark.slow
async def test_a_killed_or_frozen_broker_loses_nothing(database_url: str, own_kafka_broker: Broker) -> None:
    """Kafka killed or frozen under load: processes go on by themselves, and what was acknowledged stands."""
    broker = own_kafka_broker
    place = Place(database_url, broker.url)
    await create(parse_url(place.log), 1)
    async with children(place, "poster", "poster", "trader") as (one, two, trader):
        for turn, lines in enumerate((5, 40, 2, 13)):
            await asyncio.gather(one.hear(lines), two.hear(lines), trader.hear(lines))
            if turn % 2:
                broker.pause()
                await asyncio.sleep(FROZEN_SECONDS)
                broker.resume()
            else:
                broker.kill()
                broker.start()
            await broker.ready()
        await asyncio.gather(one.hear(5), two.hear(5), trader.hear(5))
        for child in (one, two, trader):
            await child.kill()
        await check(place, [one, two], [trader])


async def test_a_claim_held_elsewhere_is_freed_by_a_kill(place: Place) -> None:
    """A claim held by another process is refused with its name and pid, and free once that is killed."""
    async with children(place, "holder") as (holder,), opened(*place) as log:
        await holder.hear(1)
        with pytest.raises(ClaimHeld, match=f"tape 0 is held by tapefold holder0, pid {holder.process.pid}$"):
            await log.claim(0, "test")
        await holder.kill()
        await Trader(log).claim("test")


async def test_a_frozen_trader_is_fenced_when_it_wakes(place: Place) -> None:
    """A trader that stands still loses its claim to another, commits nothing when it wakes, and ends."""
    async with (
        children(place, "poster", "trader") as (poster, trader),
        opened(*place) as log,
    ):
        await trader.hear(3)
        trader.process.send_signal(signal.SIGSTOP)
        claim = await Trader(log).claim("test")
        trader.process.send_signal(signal.SIGCONT)
        await poster.hear(1)
        assert await trader.end() == FENCED
        await log.release(claim)
        await poster.kill()
        await check(place, [poster], [trader])
