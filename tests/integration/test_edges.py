"""Signals in from a topic outside, and what was decided out to topics for others."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import asyncpg
import pytest

from daemon.domain.values import Owner
from daemon.records import ChainReader
from daemon.settings import Settings
from ops.installation import open_installation
from streams.edges.names import TOLD, edge_topics
from streams.edges.payloads import outgoing
from streams.log.kafka_address import Brokers, parse_url
from streams.standing import tape_of
from tests.integration.test_processes import Place, Process, Processes
from tests.support.cli import SECONDS_MAX
from tests.support.client import Client
from tests.support.examples import MINT
from tests.support.topics import Read, Sender, read_all, sending

BODY = json.dumps({"tokenAddress": MINT, "action": "buy", "score": 4}).encode()
SIGNALS = """
SELECT input_id::text AS id, outcome, owner FROM read.inputs WHERE type = 'HandleSignal' ORDER BY tape, tape_offset
"""


class Edge:
    """A worker, an API and an intake on a log of two tapes, and the topics beside it."""

    def __init__(self, place: Place, processes: Processes, pool: asyncpg.Pool) -> None:
        self.place = place
        self.brokers: Brokers = parse_url(place.log)
        self.topics = edge_topics(self.brokers)
        self.processes = processes
        self.pool = pool

    async def key(self, *scopes: str, owner: str = "operator") -> str:
        """The id of a new API key."""
        given = [part for scope in scopes for part in ("--scope", scope)]
        await self.processes.run("keys", "create", "--name", "edge", *given, "--owner", owner)
        found = json.loads(await self.processes.run("keys", "list", "--json"))
        return str(found[-1]["id"])

    async def signals(self) -> list[asyncpg.Record]:
        """The inputs that are signals, as far as they are projected."""
        found: list[asyncpg.Record] = await self.pool.fetch(SIGNALS)
        return found

    async def accepted(self, number: int) -> list[str]:
        """The ids of accepted signals, as soon as there are so many."""

        async def enough() -> list[str] | None:
            ids = [row["id"] for row in await self.signals() if row["outcome"] == "accepted"]
            return ids if len(ids) >= number else None

        return await until(enough)

    async def rejected(self, number: int) -> list[Read]:
        """The records rejected, as soon as there are so many."""

        async def enough() -> list[Read] | None:
            found = await read_all(self.brokers, self.topics.rejected)
            return found if len(found) >= number else None

        return await until(enough)


async def until(found: Callable[[], Awaitable[Any]]) -> Any:
    """What this finds as soon as it finds anything."""
    async with asyncio.timeout(SECONDS_MAX):
        while (result := await found()) is None:
            await asyncio.sleep(0.05)
        return result


@pytest.fixture
async def edge(database_url: str, kafka_broker: Any, kafka_prefix: str) -> AsyncIterator[Edge]:
    """An edge with a worker that trades both tapes."""
    place = Place(database_url, f"{kafka_broker.url}/{kafka_prefix}")
    async with AsyncExitStack() as stack:
        installed = await open_installation(Settings(log=place.log), database_url, stack, tapes=2)
        processes = Processes(place, stack)
        await processes.start("worker")
        yield Edge(place, processes, installed.database.pool)


@asynccontextmanager
async def outside(edge: Edge) -> AsyncIterator[Sender]:
    """Somebody who writes signals."""
    async with sending(edge.brokers, edge.topics.signals) as sender:
        yield sender


async def start_intake(edge: Edge) -> Process:
    """An intake, and with it its topics."""
    return await edge.processes.start("intake")


@pytest.mark.slow
async def test_each_record_is_a_signal_or_rejected_with_its_reason(edge: Edge) -> None:
    """What the API would take goes onto the owner's tape; all else to the rejected, keyed by its place."""
    key, other = await edge.key("signals"), await edge.key("signals", owner="another")
    reader, gone = await edge.key("read"), await edge.key("signals")
    await edge.processes.run("keys", "revoke", gone)
    await start_intake(edge)
    wrong: dict[int, str] = {}
    async with outside(edge) as sender:
        good = [await sender.send(BODY, key), await sender.send(BODY, key_id=other, partition=1)]
        for value, named, code in (
            (b"garbage", key, "MALFORMED_JSON"),
            (None, key, "MALFORMED_JSON"),
            (BODY.replace(b"4", b"NaN"), key, "VALIDATION_ERROR"),
            (BODY.replace(b"4", b"1e999999"), key, "VALIDATION_ERROR"),
            (BODY[:-1] + b" " * 70_000 + b"}", key, "BODY_TOO_LARGE"),
            (BODY.replace(b'"score"', b'"what": 1, "score"'), key, "VALIDATION_ERROR"),
            (BODY[:-1] + b', "expiresAt": "2020-01-01T00:00:00Z"}', key, "SIGNAL_EXPIRED"),
            (BODY, None, "UNAUTHORIZED"),
            (BODY, "no-uuid", "UNAUTHORIZED"),
            (BODY, gone, "UNAUTHORIZED"),
            (BODY, reader, "FORBIDDEN"),
        ):
            wrong[await sender.send(value, named)] = code
        wrong[await sender.send(BODY, key, idempotency_key="x" * 201)] = "INVALID_IDEMPOTENCY_KEY"
        good.append(await sender.send(BODY, key))
    assert len(set(await edge.accepted(3))) == 3
    rejected = await edge.rejected(len(wrong))
    assert {each.key: json.loads(each.value or b"")["code"] for each in rejected} == {
        b"0-%d" % offset: code for offset, code in wrong.items()
    }
    assert {row["owner"] for row in await edge.signals()} == {"operator", "another"}


@pytest.mark.slow
async def test_api_and_topic_agree_on_an_idempotency_key(edge: Edge) -> None:
    """A signal posted and written to the topic under one idempotency key is one signal."""
    key = await edge.key("signals")
    text = await edge.processes.run("keys", "create", "--name", "api", "--scope", "admin")
    api = await edge.processes.start("api")
    await api.ready()
    await start_intake(edge)
    async with outside(edge) as sender, aiohttp.ClientSession() as session:
        posted = await Client(api.url, session, text).send("POST", "/trading-signals", BODY, key="same")
        assert posted.status == 201
        await sender.send(BODY, key, idempotency_key="same")
        await sender.send(BODY, key)
    ids = await edge.accepted(2)
    assert posted.body["id"] in ids
    outcomes = Counter((row["id"], row["outcome"]) for row in await edge.signals())
    assert outcomes[posted.body["id"], "accepted"] == 1
    assert outcomes[posted.body["id"], "repeated"] == 1
