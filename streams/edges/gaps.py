"""Where partitions of the outside topic begin and end, and whether a gap in their offsets is an empty one."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from aiokafka import TopicPartition

from streams.edges.records import PASSED_HEADER
from streams.log import kafka_connection as kafka
from streams.log.kafka_address import Brokers


class Bounds:
    """Looks at partitions beside Faust. Raises `LogUnavailable` throughout."""

    def __init__(self, brokers: Brokers) -> None:
        self._consumer = kafka.consumer(brokers, None, committed=True, wait_seconds=0.01)
        self._lock = asyncio.Lock()

    async def start(self) -> None:
        """Connect."""
        await kafka.ask("connect to Kafka", self._consumer.start())

    async def stop(self) -> None:
        """Disconnect."""
        with suppress(*kafka.TROUBLE):
            await asyncio.wait_for(self._consumer.stop(), kafka.ANSWER_SECONDS_MAX)

    async def firsts(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        """The first offset of each partition that is still there."""
        return await self._offsets("beginning_offsets", topic, partitions)

    async def ends(self, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        """The offset behind the last record of each partition that can be read."""
        return await self._offsets("end_offsets", topic, partitions)

    async def next_record(self, topic: str, partition: int, offset: int) -> int:
        """The first offset from `offset` on that a record has. There must be one."""
        place = TopicPartition(topic, partition)
        async with self._lock:
            records = await kafka.ask(f"read {topic} {partition}", self._fetch(place, offset))
        return int(records[0].offset)

    async def last_passed(self, topic: str, partition: int) -> int:
        """What the last rejected record says was dealt with before it; −1 if it cannot be told."""
        end = (await self.ends(topic, [partition]))[partition]
        if end <= (await self.firsts(topic, [partition]))[partition]:
            return -1
        async with self._lock:
            place = TopicPartition(topic, partition)
            records = await kafka.ask(f"read {topic} {partition}", self._fetch(place, end - 1))
        passed = dict(records[-1].headers).get(PASSED_HEADER, b"")
        return int(passed) if passed.isdigit() else -1

    async def _fetch(self, place: TopicPartition, offset: int) -> Sequence[Any]:
        self._consumer.assign([place])
        self._consumer.seek(place, offset)
        while True:
            got = await self._consumer.getmany(place, timeout_ms=1_000)
            if got.get(place):
                found: Sequence[Any] = got[place]
                return found

    async def _offsets(self, which: str, topic: str, partitions: Sequence[int]) -> Mapping[int, int]:
        places = [TopicPartition(topic, partition) for partition in partitions]
        found = await kafka.ask(f"ask Kafka for {topic}", getattr(self._consumer, which)(places))
        return {place.partition: offset for place, offset in found.items()}
