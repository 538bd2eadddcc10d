"""How we talk to Kafka: addresses and names, and each kind of client with the settings it must have.

Everything here that reaches into aiokafka is measured against the pinned version.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Final, TypeVar

import aiokafka.producer.sender
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import InvalidProducerEpoch, KafkaError, ProducerFenced

from streams.log.contract import LogUnavailable
from streams.log.kafka_address import Brokers

T = TypeVar("T")

ANSWER_SECONDS_MAX: Final = 5.0
"""How long any one call may wait for the brokers."""
BATCH_BYTES_MAX: Final = 1024 * 1024 + 64 * 1024
"""Of one batch on the wire. A record of ours is at most 256 KB, an append about 1 MiB."""
FETCH_BYTES_MAX: Final = 4 * 1024 * 1024
"""The topics' own limit of a message: a smaller fetch could stand before one that it cannot take."""
FETCH_WAIT_SECONDS: Final = 0.5
TRANSACTION_SECONDS_MAX: Final = 10
BACKOFF_SECONDS: Final = 0.002
"""Before a transaction is begun again that came while the one before was being marked. aiokafka's own 20 ms
would be most of a commit."""

FENCING: Final = (ProducerFenced, InvalidProducerEpoch)
TROUBLE: Final = (KafkaError, OSError, TimeoutError)


def admin(brokers: Brokers) -> AIOKafkaAdminClient:
    """A client for topics and their settings; not started."""
    return AIOKafkaAdminClient(
        bootstrap_servers=list(brokers.servers),
        client_id=brokers.prefix,
        request_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
    )


class Ends:
    """Tells where partitions end, on connections of its own: behind a waiting fetch the answer would wait."""

    def __init__(self, brokers: Brokers) -> None:
        self._readers = {
            committed: consumer(brokers, None, committed=committed) for committed in (True, False)
        }

    async def start(self) -> None:
        """Connect. Raises `LogUnavailable`."""
        try:
            for reader in self._readers.values():
                await ask("connect to Kafka", reader.start())
        except BaseException:
            await self.stop()
            raise

    async def end(self, partition: TopicPartition, *, committed: bool) -> int:
        """The offset behind all that is there, or of all that is committed. Raises `LogUnavailable`."""
        reader = self._readers[committed]
        ends = await ask("ask Kafka for an end", reader.end_offsets([partition]))
        return int(ends[partition])

    async def stop(self) -> None:
        """Give the connections up."""
        for reader in self._readers.values():
            await stop(reader)


def consumer(
    brokers: Brokers,
    partition: TopicPartition | None,
    *,
    committed: bool,
    wait_seconds: float = FETCH_WAIT_SECONDS,
) -> AIOKafkaConsumer:
    """A reader of one partition, or of none, by hand and without a group; not started.

    A fetch waits so long at the broker for something to come.
    """
    made = AIOKafkaConsumer(
        bootstrap_servers=list(brokers.servers),
        client_id=brokers.prefix,
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="none",
        max_partition_fetch_bytes=FETCH_BYTES_MAX,
        fetch_max_wait_ms=int(wait_seconds * 1000),
        request_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
        retry_backoff_ms=20,
    )
    if partition is not None:
        made.assign([partition])
    return made


def producer(brokers: Brokers, transactional_id: str | None = None) -> AIOKafkaProducer:
    """A writer whose records are stored once and in order, by all replicas in sync; not started."""
    aiokafka.producer.sender.BACKOFF_OVERRIDE = BACKOFF_SECONDS
    return AIOKafkaProducer(
        bootstrap_servers=list(brokers.servers),
        client_id=brokers.prefix,
        acks="all",
        enable_idempotence=True,
        transactional_id=transactional_id,
        transaction_timeout_ms=TRANSACTION_SECONDS_MAX * 1000,
        max_batch_size=BATCH_BYTES_MAX,
        max_request_size=FETCH_BYTES_MAX,
        linger_ms=0,
        request_timeout_ms=int(ANSWER_SECONDS_MAX * 1000),
        retry_backoff_ms=20,
    )


async def stop(reader: AIOKafkaConsumer) -> None:
    """End a reader, whatever it is doing: one without its broker ends in a cancellation of its own."""
    stopping = asyncio.ensure_future(reader.stop())
    _, pending = await asyncio.wait([stopping], timeout=ANSWER_SECONDS_MAX)
    for each in pending:
        each.cancel()
    with suppress(*TROUBLE, asyncio.CancelledError):
        await stopping
    # Its own end may have been cut off before this.
    with suppress(*TROUBLE):
        await asyncio.wait_for(reader._client.close(), ANSWER_SECONDS_MAX)  # noqa: SLF001 - no public way


async def drop(client: AIOKafkaProducer) -> None:
    """End a producer at once, without sending what it still holds: it is not to be trusted any more.

    Its own `stop` would first wait for all of that, and a transaction would be retried for ever.
    """
    client._closed = True  # noqa: SLF001 - there is no public way to end it unsent
    sender, client_ = client._sender, client.client  # noqa: SLF001
    with suppress(*TROUBLE, asyncio.CancelledError):
        await asyncio.wait_for(sender.close(), ANSWER_SECONDS_MAX)
    with suppress(*TROUBLE):
        await asyncio.wait_for(client_.close(), ANSWER_SECONDS_MAX)


async def ask(what: str, call: Coroutine[Any, Any, T]) -> T:
    """The answer of the brokers to something that stores nothing. Raises `LogUnavailable`."""
    try:
        return await asyncio.wait_for(call, ANSWER_SECONDS_MAX)
    except TROUBLE as error:
        raise LogUnavailable(f"cannot {what}: {told(error)}") from error


def told(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, TimeoutError):
        return f"no answer from Kafka within {ANSWER_SECONDS_MAX:g} s"
    return " ".join(str(error).split()) or type(error).__name__
