"""Reading what lies further back than memory reaches: by readers of their own, each at its place.

Somebody who reads on from where the last page ended goes on with the same reader, without asking for a place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from daemon.records import BrokenChain, JournalRecord, TapeRecord
from streams.log import kafka_connection as kafka
from streams.log.contract import LogUnavailable
from streams.log.kafka_address import Brokers
from streams.log.kafka_keys import read_key

T = TypeVar("T")

READERS_MAX: Final = 2
"""Of one partition: a projector and a command may both be far behind."""


class _Reader:
    """One consumer, and what it has fetched beyond the last page."""

    def __init__(self, consumer: AIOKafkaConsumer, partition: TopicPartition) -> None:
        self._consumer = consumer
        self._partition = partition
        self.next = -1
        """The offset (ours) that it goes on with; −1: none."""
        self.ahead: list[ConsumerRecord[Any, Any]] = []

    def seek(self, place: int) -> None:
        self._consumer.seek(self._partition, place)
        self.ahead.clear()

    async def fetch(self) -> None:
        """Have at least one record more. Raises as aiokafka does, and `TimeoutError`."""
        async with asyncio.timeout(kafka.ANSWER_SECONDS_MAX):
            while True:
                got = await self._consumer.getmany(timeout_ms=1_000)
                if got:
                    for records in got.values():
                        self.ahead.extend(records)
                    return

    async def stop(self) -> None:
        await kafka.stop(self._consumer)


class History:
    """One partition, from any place up to a known last one."""

    def __init__(self, brokers: Brokers, partition: TopicPartition, *, committed: bool) -> None:
        self._brokers = brokers
        self._partition = partition
        self._committed = committed
        self._readers: list[_Reader] = []
        self._lock = asyncio.Lock()

    async def close(self) -> None:
        """Give up all readers."""
        readers, self._readers = self._readers, []
        for reader in readers:
            await reader.stop()

    async def inputs(self, first: int, limit: int, end: int) -> Sequence[TapeRecord]:
        """At most `limit` inputs of a tape from `first` on, none from `end` on. Raises `LogUnavailable`."""
        last = min(first + limit, end)
        async with self._lock:
            reader = await self._at(first, first)
            records = await self._guarded(reader, self._collect_inputs(reader, last))
        if records and records[0].offset != first:
            raise LogUnavailable(f"{self._name}: offset {first} is gone, the next is {records[0].offset}")
        return records

    async def records(self, first: int, limit: int, last: int, place: int) -> list[JournalRecord]:
        """Whole entries of a journal from the record `first` on, about `limit` and none behind `last`.

        `place` is Kafka's offset of a record at or behind `last`. Raises `LogUnavailable` or `BrokenChain`.
        """
        async with self._lock:
            reader = await self._at(first, None, place)
            records = await self._guarded(reader, self._collect_records(reader, limit, last))
        if not records or records[0].offset != first:
            found = records[0].offset if records else "nothing"
            raise BrokenChain(f"{self._name}: expected journal offset {first}, found {found}")
        return records

    @property
    def _name(self) -> str:
        return f"{self._partition.topic} {self._partition.partition}"

    async def _at(self, first: int, place: int | None, end: int = -1) -> _Reader:
        """A reader that goes on with `first`, which is at Kafka's offset `place` or must be looked for."""
        for reader in self._readers:
            if reader.next == first:
                self._readers.remove(reader)
                self._readers.append(reader)
                return reader
        if len(self._readers) < READERS_MAX:
            consumer = kafka.consumer(
                self._brokers, self._partition, committed=self._committed, wait_seconds=0.01
            )
            await kafka.ask(f"read {self._name}", consumer.start())
            reader = _Reader(consumer, self._partition)
        else:
            reader = self._readers.pop(0)
        self._readers.append(reader)
        reader.next = -1
        if place is None:
            place = await self._guarded(reader, self._find(reader, first, end))
        reader.seek(place)
        reader.next = first
        return reader

    async def _guarded(self, reader: _Reader, work: Coroutine[Any, Any, T]) -> T:
        try:
            return await work
        except BaseException as error:
            reader.next = -1
            if isinstance(error, kafka.TROUBLE):
                raise LogUnavailable(f"cannot read {self._name}: {kafka.told(error)}") from error
            raise

    async def _collect_inputs(self, reader: _Reader, last: int) -> Sequence[TapeRecord]:
        found: list[TapeRecord] = []
        while reader.next < last:
            if not reader.ahead:
                await reader.fetch()
            taken = reader.ahead[: last - reader.next]
            del reader.ahead[: len(taken)]
            found.extend(TapeRecord(each.offset, each.timestamp, each.value or b"") for each in taken)
            reader.next = taken[-1].offset + 1
        return found

    async def _collect_records(self, reader: _Reader, limit: int, last: int) -> list[JournalRecord]:
        found: list[JournalRecord] = []
        while not found or found[-1].offset < last:
            if not reader.ahead:
                await reader.fetch()
            for taken, each in enumerate(reader.ahead):
                record = read_key(each.offset, each.key, each.value).record
                if record is None:
                    continue
                if record.offset > last or (
                    len(found) >= max(limit, 1) and record.tape_offset != found[-1].tape_offset
                ):
                    del reader.ahead[:taken]
                    reader.next = found[-1].offset + 1 if found else -1
                    return found
                found.append(record)
            reader.ahead.clear()
        reader.next = found[-1].offset + 1
        return found

    async def _find(self, reader: _Reader, first: int, end: int) -> int:
        """Kafka's offset at or before which the journal's record `first` is the next one, by bisection.

        Ours never lie behind Kafka's: marks and what was aborted only push them further.
        """
        # The first record is the first of all: no looking for it, a trader that takes over starts there.
        low, high = first, end if first else first
        while low < high:
            middle = (low + high) // 2
            reader.seek(middle)
            await reader.fetch()
            each = reader.ahead[0]
            record, commit = read_key(each.offset, each.key, each.value)
            if record is not None:
                passed = record.offset < first
            else:
                passed = commit is not None and commit.journal < first
            if passed:
                low = each.offset + 1
            else:
                high = middle
        return low
