"""Filling topics with another log's records, at the same offsets and with the times that those have.

A tape's topic is stamped by the brokers. So it is made with the writer's times (`CreateTime`), filled, and
then switched: brokers keep the times of what is there, since each batch says whose they are, and stamp what
comes from then on. A tape with the writer's times is refused as a log, so nobody takes half a copy for one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from aiokafka import AIOKafkaProducer
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from daemon.records import JournalRecord, Sealed, TapeRecord
from streams.log import kafka_connection as kafka
from streams.log import kafka_topics as topics
from streams.log.contract import Head, LogUnavailable
from streams.log.copying import CopyFailed
from streams.log.kafka_address import Brokers
from streams.log.kafka_claims import partition_of
from streams.log.kafka_keys import End, records_of
from streams.log.kafka_writers import JournalWriter

# A log's times may have run ahead of the brokers', which refuse what is an hour ahead.
FILLING: Final[Mapping[str, str]] = {
    **topics.TAPE,
    "message.timestamp.type": "CreateTime",
    "message.timestamp.after.max.ms": str(2**63 - 1),
}
TRANSACTION_BYTES_MAX: Final = 4 * 1024 * 1024
"""Of whole entries in one transaction; a larger entry has one for itself."""


async def is_empty(brokers: Brokers, tapes: int) -> bool:
    """Whether nothing was ever stored in our topics. Raises `LogUnavailable`."""
    ends = kafka.Ends(brokers)
    await ends.start()
    try:
        for topic in (brokers.tape, brokers.journal):
            for tape in range(tapes):
                if await ends.end(partition_of(topic, tape), committed=False):
                    return False
    finally:
        await ends.stop()
    return True


class KafkaTarget:
    """New topics that are being filled; `open` makes them, `seal` makes a log of them."""

    def __init__(self, brokers: Brokers, tapes: int) -> None:
        self._brokers = brokers
        self._producer: AIOKafkaProducer | None = None
        self._ends = [0] * tapes
        self._journals = [JournalWriter(brokers, tape) for tape in range(tapes)]
        self._places = [0] * tapes
        """Kafka's offsets of the next records of journals."""
        self._started: set[int] = set()

    @classmethod
    async def open(cls, brokers: Brokers, tapes: int) -> KafkaTarget:
        """Make the topics; what stood there is gone. Raises `LogUnavailable` or `TopicsRefused`."""
        if await topics.exist(brokers):
            await topics.delete(brokers)
        await topics.create(brokers, tapes, FILLING)
        return cls(brokers, tapes)

    async def put_inputs(self, tape: int, inputs: Sequence[TapeRecord]) -> None:
        """Store the next inputs of a tape, with the times that they have."""
        producer = await self._writer()
        batch, first = producer.create_batch(), inputs[0].offset
        for each in inputs:
            if batch.append(key=None, value=each.data, timestamp=each.at) is None:
                await self._send(producer, tape, batch, first)
                batch, first = producer.create_batch(), each.offset
                if batch.append(key=None, value=each.data, timestamp=each.at) is None:
                    raise CopyFailed(f"tape {tape}, offset {each.offset}: too large for Kafka")
        await self._send(producer, tape, batch, first)

    async def put_records(self, tape: int, records: Sequence[JournalRecord], epoch: int) -> None:
        """Store the next whole entries of a journal, as commits of about the size of a trader's."""
        await self._start(tape)
        for entries, last in _commits(records):
            end = End(last, entries[-1].tape_offset, epoch)
            self._places[tape] = await self._journals[tape].write(
                records_of(entries, end), self._places[tape]
            )

    async def end(self, tape: int, head: Head) -> None:
        """Let the journal end as the other does: it may have reached further than its last entry."""
        await self._start(tape)
        last = End(head.journal, head.reached, head.epoch)
        await self._journals[tape].write(records_of([], last), self._places[tape])

    async def seal(self) -> None:
        """Let the brokers stamp the tape from now on: now it is a log.

        Raises `LogUnavailable`, or `TopicsRefused` where the brokers did not take that.
        """
        name = self._brokers.tape
        async with topics.connected(self._brokers) as admin:
            # What is not named goes back to the brokers' own setting.
            replicas = (await topics.settings_of(admin, name))["min.insync.replicas"]
            settings = {**topics.TAPE, "min.insync.replicas": replicas}
            resource = ConfigResource(ConfigResourceType.TOPIC, name, settings)
            for answer in await kafka.ask("change a topic", admin.alter_configs([resource])):
                for code, reason, *_ in answer.resources:
                    if code:
                        raise LogUnavailable(f"cannot change {name}: {reason or for_code(code)}")
        await topics.check(self._brokers)

    async def close(self) -> None:
        """Give up the connections; a transaction under way is aborted by whoever claims next."""
        if self._producer is not None:
            await kafka.drop(self._producer)
        for each in self._journals:
            await each.drop()

    async def _start(self, tape: int) -> None:
        if tape not in self._started:
            await self._journals[tape].start()
            self._started.add(tape)

    async def _writer(self) -> AIOKafkaProducer:
        if self._producer is None:
            self._producer = kafka.producer(self._brokers)
            await kafka.ask("connect to Kafka", self._producer.start())
        return self._producer

    async def _send(self, producer: AIOKafkaProducer, tape: int, batch: Any, first: int) -> None:
        batch.close()

        async def send() -> int:
            sent = await producer.send_batch(batch, self._brokers.tape, partition=tape)
            return int((await sent).offset)

        stored = await kafka.ask(f"write {self._brokers.tape}", send())
        if stored != first:
            raise CopyFailed(
                f"tape {tape}: offset {first} stands at {stored} in {self._brokers.tape}: somebody else"
                " writes there"
            )


def _commits(records: Sequence[JournalRecord]) -> Iterator[tuple[list[Sealed], int]]:
    """Entries that go in one transaction, and the offset of the last record of each such lot."""
    entries: list[Sealed] = []
    size, last = 0, -1
    for tape_offset, parts in groupby(records, key=lambda each: each.tape_offset):
        found = list(parts)
        more = sum(len(each.data) for each in found)
        if entries and size + more > TRANSACTION_BYTES_MAX:
            yield entries, last
            entries, size = [], 0
        entries.append(Sealed(tape_offset, tuple(each.data for each in found), ""))
        size += more
        last = found[-1].offset
    if entries:
        yield entries, last
