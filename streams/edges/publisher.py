"""The publisher: tells of what one tape decided, in topics for others.

It reads the journal as every reader of the log does: whole entries, committed ones, each chained to the last.
What it publishes and how far it has come are one transaction, so a start goes on exactly behind it, and
readers of what is committed see each record once. A copy would have the same key and the same bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

import msgspec
import structlog
from aiokafka import AIOKafkaProducer, TopicPartition

from daemon.metrics import Metrics
from daemon.records import GENESIS, ChainReader
from streams.edges.names import EdgeTopics
from streams.edges.payloads import Outgoing, outgoing
from streams.log import kafka_connection as kafka
from streams.log.contract import WAIT_SECONDS_MAX, Log
from streams.log.kafka_address import Brokers

RECORDS_MAX: Final = 500
"""Of the journal, read and published at once."""
SILENT_RECORDS_MAX: Final = 10_000
"""So much of the journal may be passed without a word before the position is stored all the same."""
BACK_RECORDS: Final = 8
"""How far before its end the topic of positions is read at first; eight times as far next."""

_log = structlog.get_logger("publisher")


class PublisherEnded(Exception):
    """This publisher may not go on: another has followed, or what it sent is in doubt. Start anew."""


class Position(msgspec.Struct, frozen=True):
    """How far a tape is published."""

    journal_offset: int = -1
    tape_offset: int = -1
    hash: str = GENESIS
    """Of the journal record there: the next one must name it."""


class Publisher:
    """One tape's publisher. Who runs it holds the tape among publishers; Kafka fences an earlier one."""

    def __init__(self, brokers: Brokers, topics: EdgeTopics, log: Log, tape: int, metrics: Metrics) -> None:
        self._brokers = brokers
        self._topics = topics
        self._log = log
        self._tape = tape
        self._metrics = metrics

    async def run(self, stop: asyncio.Event) -> None:
        """Publish until told to stop.

        Raises `PublisherEnded` or `LogUnavailable`: then start anew; `BrokenChain` or `UnreadableRecord`.
        """
        producer = kafka.producer(self._brokers, f"{self._brokers.prefix}.publisher.{self._tape}")
        try:
            # Ends what a predecessor has left open, and the predecessor.
            await kafka.ask(f"fence publishers of tape {self._tape}", producer.start())
            await self._publish(producer, await self._position(), stop)
        finally:
            await kafka.drop(producer)

    async def _publish(self, producer: AIOKafkaProducer, position: Position, stop: asyncio.Event) -> None:
        log, tape = self._log, self._tape
        chain = ChainReader(position.hash, position.tape_offset)
        offset = stored = position.journal_offset
        _log.info("publishing", tape=tape, journal=offset + 1)
        while not stop.is_set():
            page = await log.read_journal(tape, offset, RECORDS_MAX)
            told = [each for entry in chain.read(page.records) for each in outgoing(tape, entry)]
            if page.records:
                offset = page.records[-1].offset
            if told or offset - stored >= SILENT_RECORDS_MAX:
                await self._commit(producer, told, Position(offset, chain.reached, chain.hash))
                stored = offset
                self._count(told)
            self._metrics.published_position.labels(tape).set(offset)
            if not page.records:
                # `reached` alone is no news here: it moves with prices that decided nothing.
                await log.wait_journal(tape, offset, 2**62, WAIT_SECONDS_MAX)

    def _count(self, told: Sequence[Outgoing]) -> None:
        for each in told:
            self._metrics.published.labels(each.told).inc()

    async def _commit(self, producer: AIOKafkaProducer, told: Sequence[Outgoing], position: Position) -> None:
        try:
            async with asyncio.timeout(2 * kafka.ANSWER_SECONDS_MAX):
                await producer.begin_transaction()
                # aiokafka would commit past a batch that was refused: each answer is looked at before.
                await self._send(producer, told, position)
                await producer.commit_transaction()
        except kafka.TROUBLE as error:
            raise PublisherEnded(f"tape {self._tape}: {kafka.told(error)}") from error

    async def _send(self, producer: AIOKafkaProducer, told: Sequence[Outgoing], position: Position) -> None:
        answers: list[asyncio.Future[Any]] = []
        for topic, records in self._by_topic(told, position).items():
            batch = producer.create_batch()
            for key, value in records:
                if batch.append(key=key, value=value, timestamp=None) is None:
                    answers.append(await self._queue(producer, topic, batch))
                    batch = producer.create_batch()
                    batch.append(key=key, value=value, timestamp=None)
            answers.append(await self._queue(producer, topic, batch))
        await asyncio.gather(*answers)

    async def _queue(self, producer: AIOKafkaProducer, topic: str, batch: Any) -> asyncio.Future[Any]:
        batch.close()
        future: asyncio.Future[Any] = await producer.send_batch(batch, topic, partition=self._tape)
        return future

    def _by_topic(self, told: Sequence[Outgoing], position: Position) -> dict[str, list[tuple[bytes, bytes]]]:
        found: dict[str, list[tuple[bytes, bytes]]] = {}
        for each in told:
            name = self._topics.published[each.told]
            found.setdefault(name, []).append((each.key.encode(), each.value))
        found[self._topics.position] = [(b"%d" % self._tape, msgspec.json.encode(position))]
        return found

    async def _position(self) -> Position:
        """The last position that was committed."""
        place = TopicPartition(self._topics.position, self._tape)
        consumer = kafka.consumer(self._brokers, place, committed=True, wait_seconds=0.01)
        try:
            await kafka.ask("connect to Kafka", consumer.start())
            value = await kafka.ask(f"read {place.topic} {place.partition}", _last(consumer, place))
        finally:
            with suppress(*kafka.TROUBLE):
                await asyncio.wait_for(consumer.stop(), kafka.ANSWER_SECONDS_MAX)
        return Position() if value is None else msgspec.json.decode(value, type=Position)


async def _last(consumer: Any, place: TopicPartition) -> bytes | None:
    """The value of the last record of a partition; None: it has none."""
    first = (await consumer.beginning_offsets([place]))[place]
    end = (await consumer.end_offsets([place]))[place]
    back = BACK_RECORDS
    while True:
        start = max(first, end - back)
        consumer.seek(place, start)
        last: bytes | None = None
        while await consumer.position(place) < end:
            for record in (await consumer.getmany(place, timeout_ms=10)).get(place, ()):
                last = record.value
        if last is not None or start == first:
            return last
        back *= 8
