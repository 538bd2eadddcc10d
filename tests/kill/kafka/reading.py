"""Reads tapes and journals from Kafka's topics, by a client of its own and with keys read by its own code.

What a reader of committed records sees is the journal: a record that comes to light twice, or out of place,
is seen here as anybody would see it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from streams.log.kafka_address import Brokers
from tests.kill.stored import Stored

READ_SECONDS_MAX: Final = 60.0
FETCH_MS: Final = 100
NOTHING: Final = -1

Records = dict[int, list[ConsumerRecord[Any, Any]]]


class Reader:
    """Goes on where it stopped; a new one reads from the first byte."""

    def __init__(self, brokers: Brokers, tapes: int, *, hold_epochs: bool = True) -> None:
        self._hold_epochs = hold_epochs
        self.wrong: list[str] = []
        self._tapes = _consumer(brokers, "read_uncommitted")
        self._journals = _consumer(brokers, "read_committed")
        self._tapes.assign([TopicPartition(brokers.tape, tape) for tape in range(tapes)])
        self._journals.assign([TopicPartition(brokers.journal, tape) for tape in range(tapes)])
        self._ends = dict.fromkeys(range(tapes), (NOTHING, NOTHING, 0))
        """Of each journal: its last offset, the tape's offset that it has reached, the epoch."""
        self._next_input = dict.fromkeys(range(tapes), 0)

    async def start(self) -> None:
        """Begin at the beginning."""
        for consumer in (self._tapes, self._journals):
            await consumer.start()
            await consumer.seek_to_beginning(*consumer.assignment())

    async def stop(self) -> None:
        """Give the connections up."""
        await asyncio.gather(self._tapes.stop(), self._journals.stop())

    async def read(self) -> dict[int, Stored]:
        """What has come since the last time. Journals first: all that they decide is on the tapes."""
        async with asyncio.timeout(READ_SECONDS_MAX):
            entries = await _read(self._journals)
            inputs = await _read(self._tapes)
        return {tape: self._stored(tape, inputs[tape], entries[tape]) for tape in self._ends}

    def _stored(
        self, tape: int, inputs: list[ConsumerRecord[Any, Any]], entries: list[ConsumerRecord[Any, Any]]
    ) -> Stored:
        records, open_since = [], None
        for each in entries:
            offset, tape_offset, *end = map(int, each.key.split())
            if each.value is not None:
                records.append((offset, tape_offset, each.value.decode()))
            if end:
                self._take_end(tape, each.offset, (offset, end[0], end[1]))
            open_since = None if end else each.offset
        if open_since is not None:
            self.wrong.append(f"tape {tape}: Kafka's offset {open_since} is in a commit without an end")
        if inputs:
            self._next_input[tape] = inputs[-1].offset + 1
        journal, reached, _ = self._ends[tape]
        return Stored(
            [(each.offset, each.timestamp, each.value.decode()) for each in inputs],
            records,
            self._next_input[tape],
            journal + 1,
            reached,
        )

    def _take_end(self, tape: int, place: int, end: tuple[int, int, int]) -> None:
        before = self._ends[tape]
        held = 3 if self._hold_epochs else 2
        if any(new < old for new, old in zip(end[:held], before[:held], strict=True)):
            self.wrong.append(
                f"tape {tape}: at Kafka's offset {place} a commit ends at {end}, after {before}"
            )
        self._ends[tape] = end


def _consumer(brokers: Brokers, level: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=list(brokers.servers),
        isolation_level=level,
        enable_auto_commit=False,
        auto_offset_reset="none",
        fetch_max_wait_ms=FETCH_MS,
        request_timeout_ms=5_000,
        retry_backoff_ms=20,
    )


async def _read(consumer: AIOKafkaConsumer) -> Records:
    """All records up to the ends as they are now."""
    found: Records = defaultdict(list)
    ends = await consumer.end_offsets(list(consumer.assignment()))
    for partition, end in ends.items():
        while await consumer.position(partition) < end:
            for where, records in (await consumer.getmany(timeout_ms=FETCH_MS)).items():
                found[where.partition] += records
    return found
