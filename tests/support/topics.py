"""Writes and reads topics of others as others would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from streams.log.kafka_address import Brokers
from streams.log.kafka_topics import connected


class Read(NamedTuple):
    """A record as it was read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


async def read_all(brokers: Brokers, topic: str, *, committed: bool = True) -> list[Read]:
    """All records of a topic, partition by partition."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(brokers.servers),
        isolation_level="read_committed" if committed else "read_uncommitted",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        found: list[Read] = []
        for partition in range(await _partitions(brokers, topic)):
            place = TopicPartition(topic, partition)
            end = (await consumer.end_offsets([place]))[place]
            consumer.assign([place])
            consumer.seek(place, 0)
            while await consumer.position(place) < end:
                got = await consumer.getmany(place, timeout_ms=20)
                found += [Read(partition, each.offset, each.key, each.value) for each in got.get(place, ())]
        return found
    finally:
        # Beside partitions that hold nothing it may wait for an answer that does not come.
        with suppress(TimeoutError):
            await asyncio.wait_for(consumer.stop(), 2)


async def _partitions(brokers: Brokers, topic: str) -> int:
    async with connected(brokers) as admin:
        [described] = await admin.describe_topics([topic])
        return len(described["partitions"])


class Sender:
    """Writes records of signals."""

    def __init__(self, producer: AIOKafkaProducer, topic: str) -> None:
        self.producer = producer
        self.topic = topic

    async def send(
        self, value: bytes | None, key: str | None = None, *, partition: int = 0, **headers: str
    ) -> int:
        """Write one record; its offset. Underscores in names of headers are dashes."""
        given: Sequence[tuple[str, bytes]] = [
            (name.replace("_", "-"), text.encode()) for name, text in headers.items()
        ]
        stored: Any = await self.producer.send_and_wait(
            self.topic, value, None if key is None else key.encode(), partition, headers=given
        )
        return int(stored.offset)


@asynccontextmanager
async def sending(brokers: Brokers, topic: str, transactional_id: str | None = None) -> AsyncIterator[Sender]:
    """A producer of somebody else's."""
    producer = AIOKafkaProducer(
        bootstrap_servers=list(brokers.servers), acks="all", transactional_id=transactional_id
    )
    await producer.start()
    try:
        yield Sender(producer, topic)
    finally:
        await producer.stop()
