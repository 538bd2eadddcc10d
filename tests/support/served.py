"""The whole daemon on a fresh database, behind the server of production, with a client for each key."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest

from api.identity import keys
from api.identity.keys import Scope
from api.ports import DEPS
from daemon.domain.values import Owner
from daemon.settings import Settings
from ops.installation import open_installation
from ops.starting import start_stages
from ops.wiring import Daemon, build_daemon
from projections import schema
from tests.support.client import Client
from tests.support.listening import listening

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
OTHER_MINT = "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263"


class Served:
    """A running daemon."""

    def __init__(self, daemon: Daemon, base: str, session: aiohttp.ClientSession) -> None:
        self.daemon = daemon
        self.base = base
        self._session = session
        self._stop = asyncio.Event()
        self._stages: list[asyncio.Task[None]] = []

    async def client(self, *scopes: Scope, owner: str = "operator") -> Client:
        """A client with a new key; without scopes it has none."""
        key = None
        if scopes:
            pool = self.daemon.installation.database.pool
            key = (await keys.create(pool, name="test", scopes=scopes, owner=Owner(owner))).text
        return Client(self.base, self._session, key)

    async def start(self) -> None:
        """Start the stages, and return when they have caught up."""
        self._stop = asyncio.Event()
        self.daemon.share.allow(len(self.daemon.traders))
        self._stages = start_stages(self.daemon, self._stop)
        async with asyncio.timeout(10):
            while self.daemon.status.unready() or any(
                each.projected < each.head for each in self.daemon.status.tapes()
            ):
                await asyncio.sleep(0.005)

    async def stop(self) -> None:
        """Stop the stages; the API goes on."""
        self._stop.set()
        self.daemon.share.allow(0)
        _, pending = await asyncio.wait(self._stages, timeout=5) if self._stages else (set(), set())
        for task in pending:
            task.cancel()
        await asyncio.gather(*self._stages, return_exceptions=True)
        self._stages = []

    def are_stages_alive(self) -> bool:
        """Whether every trader and projector runs, and none stands still."""
        return not any(task.done() for task in self._stages) and not self.daemon.standing.halted


@asynccontextmanager
async def serve(
    database_url: str, *, settings: Settings | None = None, tapes: int | None = None, **changes: Any
) -> AsyncIterator[Served]:
    """A daemon on this database, all stages running; `changes` replace parts of the API's `Deps`.

    `settings` may name another log, and `tapes` how many a new one gets.
    """
    async with AsyncExitStack() as stack:
        daemon = build_daemon(
            await open_installation(settings or Settings(), database_url, stack, tapes=tapes)
        )
        async with daemon.installation.database.pool.acquire() as connection:
            await schema.prepare(connection)
        daemon.app[DEPS] = dataclasses.replace(daemon.app[DEPS], **changes)
        port = await stack.enter_async_context(listening(daemon.app))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        served = Served(daemon, f"http://127.0.0.1:{port}", session)
        await served.start()
        stack.push_async_callback(served.stop)
        yield served


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """A daemon of this test alone."""
    async with serve(database_url) as running:
        yield running


@pytest.fixture
async def admin(served: Served) -> Client:
    """A client that may do everything."""
    return await served.client("admin")


class Trading:
    """An agent with 10 SOL, and a price to trade at."""

    def __init__(self, client: Client, agent_id: str) -> None:
        self.client = client
        self.agent_id = agent_id

    async def price(self, price: str = "0.0067", mint: str = MINT) -> None:
        """Post a reading, which stands on the tape before whatever is posted next."""
        reading = {"tokenAddress": mint, "priceSol": price, "source": "test"}
        answer = await self.client.post("/prices", {"prices": [reading]})
        assert answer.status == 202, answer

    async def buy(self, mint: str = MINT, *, key: str | None = None) -> str:
        """Post a signal; returns its id."""
        body = {"tokenAddress": mint, "action": "buy", "score": 4, "symbol": "USDC"}
        answer = await self.client.post("/trading-signals", body, key=key)
        assert answer.status == 201, answer
        return str(answer.body["id"])


async def trading(client: Client, config: dict[str, Any] | None = None) -> Trading:
    """A new agent of this client's owner, funded, with a fresh price."""
    created = await client.post("/agents", {"name": "agent", **({"config": config} if config else {})})
    assert created.status == 201, created
    found = Trading(client, created.body["id"])
    deposited = await client.post(f"/agents/{found.agent_id}/deposits", {"amount": "10"})
    assert deposited.status == 201, deposited
    await found.price()
    return found
