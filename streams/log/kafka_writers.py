"""The two ways to store on Kafka: inputs at once, entries in a transaction that only one process may have."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError

from streams.log import kafka_connection as kafka
from streams.log.contract import Appended, Fenced, OutcomeUnknown
from streams.log.kafka_address import Brokers


class Refused(Exception):
    """The records stand elsewhere than they must; the transaction is still open."""


class TapeWriter:
    """Appends inputs to all tapes by one producer, made anew after any trouble."""

    def __init__(self, brokers: Brokers) -> None:
        self._brokers = brokers
        self._producer: AIOKafkaProducer | None = None
        self._starting = asyncio.Lock()
        self._dropping: set[asyncio.Task[None]] = set()

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        """Append inputs as one batch, which gets one time and stands together or not at all.

        Raises `LogUnavailable`, `OutcomeUnknown`, or `ValueError` for more than one batch can hold.
        """
        producer = await self._started()
        batch = producer.create_batch()
        for data in inputs:
            if batch.append(key=None, value=data, timestamp=None) is None:
                raise ValueError(f"an append of more than {kafka.BATCH_BYTES_MAX} bytes")
        batch.close()
        try:
            async with asyncio.timeout(2 * kafka.ANSWER_SECONDS_MAX):
                stored = await (await producer.send_batch(batch, self._brokers.tape, partition=tape))
        except MessageSizeTooLargeError as error:
            raise ValueError(f"the topic {self._brokers.tape} takes no batch of this size") from error
        except kafka.TROUBLE as error:
            self._distrust(producer)
            raise OutcomeUnknown(f"no answer to an append: {kafka.told(error)}") from error
        return Appended(stored.offset, stored.timestamp)

    async def close(self) -> None:
        """Give up the connection."""
        if self._producer is not None:
            self._distrust(self._producer)
        await asyncio.gather(*self._dropping)

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = kafka.producer(self._brokers)
                try:
                    await kafka.ask("connect to Kafka", producer.start())
                except BaseException:
                    await kafka.drop(producer)
                    raise
                self._producer = producer
            return self._producer

    def _distrust(self, producer: AIOKafkaProducer) -> None:
        # What it still tries may come late; ids make that harmless. Its sequence may be broken for ever.
        if self._producer is producer:
            self._producer = None
            task = asyncio.create_task(kafka.drop(producer), name="drop a producer")
            self._dropping.add(task)
            task.add_done_callback(self._dropping.discard)


class _Sent(NamedTuple):
    first: int
    records: int


class JournalWriter:
    """One tape's journal under one claim: whoever starts the next one fences this, at the brokers.

    After any error it is dead, its transaction perhaps open: the next start ends that.
    """

    def __init__(self, brokers: Brokers, tape: int) -> None:
        self._topic = brokers.journal
        self._tape = tape
        self._producer = kafka.producer(brokers, f"{brokers.journal}-{tape}")

    async def start(self) -> None:
        """Fence all earlier ones and end what they left open. Raises `LogUnavailable`."""
        try:
            await kafka.ask(f"claim the journal {self._tape}", self._producer.start())
        except BaseException:
            await self.drop()
            raise

    async def write(self, records: Sequence[tuple[bytes, bytes | None]], expected: int) -> int:
        """Store records in one transaction; the Kafka offset behind it and its mark.

        `expected` is where the first must stand: elsewhere, somebody else has written or a mark was lost.
        Raises `Fenced`, or `OutcomeUnknown`: then the transaction may still be open or even committed.
        """
        try:
            async with asyncio.timeout(kafka.ANSWER_SECONDS_MAX):
                await self._producer.begin_transaction()
                # aiokafka would commit past a batch that was refused: each answer is looked at before.
                self._check_places(await self._send(records), expected)
            async with asyncio.timeout(kafka.ANSWER_SECONDS_MAX):
                await self._producer.commit_transaction()
        except kafka.FENCING as error:
            raise Fenced(f"tape {self._tape}: a later claim has fenced this one") from error
        except Refused as error:
            raise OutcomeUnknown(f"tape {self._tape}: {error}") from error
        except kafka.TROUBLE as error:
            raise OutcomeUnknown(f"tape {self._tape}: no answer to a commit: {kafka.told(error)}") from error
        return expected + len(records) + 1

    async def close_what_hangs(self) -> None:
        """Abort a transaction with a record in it: its mark also ends one whose own mark was lost.

        Raises `LogUnavailable`.
        """

        async def abort() -> None:
            await self._producer.begin_transaction()
            await self._send([(b"", None)])
            await self._producer.abort_transaction()

        await kafka.ask(f"close what hangs in the journal {self._tape}", abort())

    async def drop(self) -> None:
        """End it at once."""
        await kafka.drop(self._producer)

    async def _send(self, records: Sequence[tuple[bytes, bytes | None]]) -> list[_Sent]:
        answers: list[tuple[asyncio.Future[Any], int]] = []
        batch = self._producer.create_batch()
        for key, value in records:
            if batch.append(key=key, value=value, timestamp=None) is None:
                answers.append(await self._queue(batch))
                batch = self._producer.create_batch()
                if batch.append(key=key, value=value, timestamp=None) is None:
                    raise ValueError(f"a record of more than {kafka.BATCH_BYTES_MAX} bytes")
        answers.append(await self._queue(batch))
        await asyncio.wait([future for future, _ in answers])
        return [_Sent(future.result().offset, count) for future, count in answers]

    async def _queue(self, batch: Any) -> tuple[asyncio.Future[Any], int]:
        batch.close()
        count = batch.record_count()
        return await self._producer.send_batch(batch, self._topic, partition=self._tape), count

    def _check_places(self, sent: Sequence[_Sent], expected: int) -> None:
        for first, count in sent:
            if first != expected:
                raise Refused(f"records stand at Kafka's offset {first}, expected {expected}")
            expected += count
