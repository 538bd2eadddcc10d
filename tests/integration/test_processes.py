"""Workers, projectors and APIs as processes of their own, on both engines."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NamedTuple

import aiohttp
import pytest

from tests.support.cli import ROOT, SECONDS_MAX
from tests.support.client import Client
from tests.support.examples import MINT

POLL_SECONDS = 0.05


class Place(NamedTuple):
    """Where processes meet: a database, and a log."""

    database: str
    log: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TAPEFOLD_DATABASE_URL": self.database,
            "TAPEFOLD_LOG": self.log,
            "PYTHONPATH": str(ROOT),
        }


class Process:
    """One process, from its start to its end."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.url = url
        self._process = process

    async def health(self) -> dict[str, Any]:
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/health") as response:
            found: dict[str, Any] = await response.json()
            return found

    async def ready(self) -> None:
        """Return when it is ready: all tapes are traded, and the read models are there."""
        async with asyncio.timeout(SECONDS_MAX):
            while not (await self.health())["ready"]:
                await asyncio.sleep(POLL_SECONDS)

    async def end(self, number: signal.Signals) -> int:
        self._process.send_signal(number)
        async with asyncio.timeout(SECONDS_MAX):
            return await self._process.wait()


class Processes:
    """Starts processes at one place."""

    def __init__(self, place: Place, stack: AsyncExitStack) -> None:
        self._place = place
        self._stack = stack

    async def start(self, name: str) -> Process:
        """Start it, and return when it listens, ready or not."""
        process = await self._spawn(name, "--port", "0")
        self._stack.push_async_callback(_kill, process)
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS_MAX):
            while b"listening on" not in (line := await process.stdout.readline()):
                assert line, f"{name} has ended with {await process.wait()}"
        return Process(process, line.decode().split()[-1])

    async def run(self, *arguments: str) -> str:
        """Run a command to its end; what it says."""
        process = await self._spawn(*arguments)
        async with asyncio.timeout(SECONDS_MAX):
            out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    async def _spawn(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.cli", *arguments,
            env=self._place.environment, stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip


async def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.communicate()


@pytest.fixture(params=["embedded", "kafka"])
def place(request: pytest.FixtureRequest) -> Place:
    """An ordinary Postgres, with a log in it or on Kafka."""
    database_url = request.getfixturevalue("database_url")
    if request.param == "embedded":
        return Place(database_url, "embedded")
    broker, prefix = (request.getfixturevalue(name) for name in ("kafka_broker", "kafka_prefix"))
    return Place(database_url, f"{broker.url}/{prefix}")


@asynccontextmanager
async def meeting(place: Place) -> AsyncIterator[Processes]:
    async with AsyncExitStack() as stack:
        yield Processes(place, stack)


async def traders(processes: Sequence[Process]) -> list[Process]:
    """Those that trade tape 0 now."""
    return [each for each in processes if (await each.health())["tapes"][0]["trading"]]


async def projects(process: Process) -> bool:
    """Whether it keeps the read models of tape 0 now."""
    return bool((await process.health())["tapes"][0]["projecting"])


async def readable(client: Client, path: str) -> Any:
    """What a path answers as soon as it does."""
    async with asyncio.timeout(SECONDS_MAX):
        while not (answer := await client.get(path)).body or answer.status != 200:
            await asyncio.sleep(POLL_SECONDS)
        return answer.body


@pytest.mark.slow
async def test_processes_trade_together_and_take_over(place: Place) -> None:
    """An API takes writes before anybody trades; workers decide them, and take over from the dead."""
    async with meeting(place) as processes, aiohttp.ClientSession() as session:
        # No process needs another to start first: keys, then an API without a worker.
        key = await processes.run("keys", "create", "--name", "test", "--scope", "admin")
        api = await processes.start("api")
        client = Client(api.url, session, key)
        early = await client.post("/agents", {"name": "early", "tradingMode": "simulation"}, key="0")
        assert early.status == 202
        workers = [await processes.start("worker"), await processes.start("worker")]
        await api.ready()
        await readable(client, f"/agents/{early.body['id']}")
        agent = (await client.post("/agents", {"name": "a", "tradingMode": "simulation"})).body["id"]
        assert (await client.post(f"/agents/{agent}/deposits", {"amount": "10"})).status == 201
        price = {"tokenAddress": MINT, "priceSol": "0.5", "source": "test", "decimals": 6}
        assert (await client.post("/prices", {"prices": [price]})).status == 202
        signal_body = {"tokenAddress": MINT, "action": "buy", "score": 4}
        assert (await client.post("/trading-signals", signal_body, key="1")).status == 201

        (first,) = await traders(workers)  # one tape: the other stands by
        await first.end(signal.SIGKILL)
        (second,) = (each for each in workers if each is not first)
        answer = await client.post("/trading-signals", signal_body, key="2")
        assert answer.status in {201, 202}
        await readable(client, f"/trading-signals/{answer.body['id']}/decisions")
        assert await traders([second]) == [second]

        # A hand-over on SIGTERM: a third takes what the second lets go, and the second ends in order.
        third = await processes.start("worker")
        assert await second.end(signal.SIGTERM) == 0
        answer = await client.post("/trading-signals", signal_body, key="3")
        await readable(client, f"/trading-signals/{answer.body['id']}/decisions")
        assert await traders([third]) == [third]

        # A repeat across all these lives is one signal, and every fill is there once.
        again = await client.post("/trading-signals", signal_body, key="1")
        assert again.headers["Idempotency-Replayed"] == "true"
        orders = (await client.get(f"/orders?agentId={agent}")).body
        assert [order["status"] for order in orders] == ["filled"] * 3
        assert "sound" in await processes.run("verify")


@pytest.mark.slow
async def test_a_projector_of_its_own_keeps_the_read_models(place: Place) -> None:
    """A projector of its own projects; a worker beside it only trades, and takes over when it dies."""
    async with meeting(place) as processes, aiohttp.ClientSession() as session:
        key = await processes.run("keys", "create", "--name", "test", "--scope", "admin")
        projector = await processes.start("projector")
        worker = await processes.start("worker")
        api = await processes.start("api")
        await api.ready()
        client = Client(api.url, session, key)
        assert (await client.post("/agents", {"name": "a", "tradingMode": "simulation"})).status == 201
        assert await projects(projector)
        assert not await projects(worker)
        await projector.end(signal.SIGKILL)
        assert (await client.post("/agents", {"name": "b", "tradingMode": "simulation"})).status in {201, 202}
        async with asyncio.timeout(SECONDS_MAX):
            while not await projects(worker):
                await asyncio.sleep(POLL_SECONDS)
        assert (await client.post("/agents", {"name": "c", "tradingMode": "simulation"})).status == 201


async def test_a_process_names_what_it_needs() -> None:
    """Without an ordinary Postgres there is nothing to meet at: one line says so."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "ops.cli", "worker", env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 1
    assert b"TAPEFOLD_DATABASE_URL" in said
    assert said.count(b"\n") == 1
