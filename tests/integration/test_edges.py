"""Signals in from a topic outside, and what was decided out to topics for others."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import aiohttp
import asyncpg
import pytest

from api.identity import keys
from api.identity.keys import NewKey
from daemon.domain.ids import derive
from daemon.domain.values import Owner
from daemon.records import ChainReader
from daemon.settings import Settings
from ops.installation import open_installation
from ops.wiring import build_daemon
from projections import schema
from streams.edges.names import TOLD, edge_topics
from streams.edges.payloads import outgoing
from streams.log.kafka_address import Brokers, parse_url
from tests.integration.test_processes import Place, Process, Processes
from tests.support.cli import SECONDS_MAX
from tests.support.listening import listening
from tests.support.served import MINT, Served, trading
from tests.support.topics import Read, Sender, read_all, sending

BODY = json.dumps({"tokenAddress": MINT, "action": "buy", "score": 4}).encode()
T = TypeVar("T")
SIGNALS = """
SELECT input_id::text AS id, outcome, owner FROM read.inputs WHERE type = 'HandleSignal'
ORDER BY tape, tape_offset
"""


class Edge:
    """A daemon on a log of two tapes, the topics beside it, and processes that may be killed."""

    def __init__(self, place: Place, processes: Processes, served: Served) -> None:
        self.brokers: Brokers = parse_url(place.log)
        self.topics = edge_topics(self.brokers)
        self.processes = processes
        self.served = served
        self.pool = served.daemon.installation.database.pool

    async def key(self, *scopes: keys.Scope, owner: str = "operator") -> NewKey:
        """A new API key."""
        return await keys.create(self.pool, name="edge", scopes=scopes, owner=Owner(owner))

    async def signals(self) -> list[asyncpg.Record]:
        """The inputs that are signals, as far as they are projected."""
        found: list[asyncpg.Record] = await self.pool.fetch(SIGNALS)
        return found

    async def accepted(self, number: int) -> Sequence[str]:
        """The ids of accepted signals, as soon as there are so many."""

        async def enough() -> list[str] | None:
            ids = [row["id"] for row in await self.signals() if row["outcome"] == "accepted"]
            return ids if len(ids) >= number else None

        return await until(enough)

    async def rejected(self, number: int) -> Sequence[Read]:
        """The records rejected, as soon as there are so many."""

        async def enough() -> list[Read] | None:
            found = await read_all(self.brokers, self.topics.rejected)
            return found if len(found) >= number else None

        return await until(enough)


async def until(found: Callable[[], Awaitable[T | None]]) -> T:
    """What this finds as soon as it finds anything."""
    async with asyncio.timeout(SECONDS_MAX):
        while (result := await found()) is None:
            await asyncio.sleep(0.05)
        return result


@pytest.fixture
async def edge(database_url: str, kafka_broker: Any, kafka_prefix: str) -> AsyncIterator[Edge]:
    """An edge with a daemon that trades both tapes."""
    place = Place(database_url, f"{kafka_broker.url}/{kafka_prefix}")
    async with AsyncExitStack() as stack:
        daemon = build_daemon(await open_installation(Settings(log=place.log), database_url, stack, tapes=2))
        async with daemon.installation.database.pool.acquire() as connection:
            await schema.prepare(connection)
        port = await stack.enter_async_context(listening(daemon.app))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        served = Served(daemon, f"http://127.0.0.1:{port}", session)
        await served.start()
        stack.push_async_callback(served.stop)
        yield Edge(place, Processes(place, stack), served)


@asynccontextmanager
async def outside(edge: Edge) -> AsyncIterator[Sender]:
    """Somebody who writes signals."""
    async with sending(edge.brokers, edge.topics.signals) as sender:
        yield sender


async def start_intake(edge: Edge) -> Process:
    """An intake, and with it its topics."""
    return await edge.processes.start("intake")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_record_is_a_signal_or_rejected_with_its_reason(edge: Edge) -> None:
    """What the API would take goes onto the owner's tape; all else to the rejected, keyed by its place."""
    key, other = (await edge.key("signals")).id, (await edge.key("signals", owner="another")).id
    reader, gone = (await edge.key("read")).id, (await edge.key("signals")).id
    await keys.revoke(edge.pool, gone)
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
@pytest.mark.timeout(300)
async def test_api_and_topic_agree_on_an_idempotency_key(edge: Edge) -> None:
    """A signal posted and written to the topic under one idempotency key is one signal."""
    key = (await edge.key("signals")).id
    client = await edge.served.client("signals")
    await start_intake(edge)
    async with outside(edge) as sender:
        posted = await client.send("POST", "/trading-signals", BODY, key="same")
        assert posted.status == 201
        await sender.send(BODY, key, idempotency_key="same")
        await sender.send(BODY, key)
    ids = await edge.accepted(2)
    assert posted.body["id"] in ids
    outcomes = Counter((row["id"], row["outcome"]) for row in await edge.signals())
    assert outcomes[posted.body["id"], "accepted"] == 1
    assert outcomes[posted.body["id"], "repeated"] == 1


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_each_record_becomes_one_signal_through_kills_of_the_intake(edge: Edge) -> None:
    """After each kill an intake goes on behind what stands on the tapes: nothing is lost, nothing twice."""
    key = (await edge.key("signals")).id
    intake = await start_intake(edge)
    sent: list[tuple[int, int]] = []

    async def write() -> None:
        async with outside(edge) as sender, sending_aborted(edge) as aborted:
            for number in range(300):
                partition = number % 2
                await asyncio.sleep(0.01)
                sent.append((partition, await sender.send(BODY, key, partition=partition)))
                if number % 50 == 0:
                    # What somebody else takes back was never said, but leaves a gap in the offsets.
                    await abort(aborted, key, partition)

    writing = asyncio.create_task(write())
    for kill in (1, 2):
        # While some of what was sent stands on a tape, and more waits.
        await edge.accepted(80 * kill)
        await intake.end(signal.SIGKILL)
        intake = await start_intake(edge)
    await writing
    ids = await edge.accepted(len(sent))
    assert len(ids) == len(set(ids)) == len(sent)
    assert set(ids) == {
        derive("outside", edge.topics.signals, str(partition), str(offset)) for partition, offset in sent
    }
    assert await read_all(edge.brokers, edge.topics.rejected) == []


@asynccontextmanager
async def sending_aborted(edge: Edge) -> AsyncIterator[Sender]:
    """Somebody who writes signals in transactions."""
    async with sending(edge.brokers, edge.topics.signals, f"{edge.brokers.prefix}.other") as sender:
        yield sender


async def abort(sender: Sender, key: str, partition: int) -> None:
    """Write a record and take it back."""
    await sender.producer.begin_transaction()
    await sender.send(BODY, key, partition=partition)
    await sender.producer.abort_transaction()


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_is_published_is_the_journal(edge: Edge) -> None:
    """Through kills of the publisher each topic holds what follows from the journal, each record once."""
    agent = await trading(await edge.served.client("admin"))
    publisher = await edge.processes.start("publisher")
    for number in range(30):
        if number in {10, 20}:
            await publisher.end(signal.SIGKILL)
            publisher = await edge.processes.start("publisher")
        await agent.price()
        await agent.buy()
    expected = await told(edge)
    assert {what for what, _, _ in expected} == set(TOLD)

    async def all_of_it() -> list[tuple[str, str, bytes | None]] | None:
        found: list[tuple[str, str, bytes | None]] = []
        for what in TOLD:
            records = await read_all(edge.brokers, edge.topics.published[what])
            found += [(what, (each.key or b"").decode(), each.value) for each in records]
        return found if len(found) >= len(expected) else None

    assert sorted(await until(all_of_it)) == sorted(expected)


async def told(edge: Edge) -> list[tuple[str, str, bytes]]:
    """What follows from the journals as they are now."""
    found: list[tuple[str, str, bytes]] = []
    log = edge.served.daemon.installation.log
    for tape in range(log.tapes):
        chain, offset = ChainReader(), -1
        while (page := await log.read_journal(tape, offset, 500)).records:
            found += [each for entry in chain.read(page.records) for each in outgoing(tape, entry)]
            offset = page.records[-1].offset
    return found
