"""Following one partition from its end on: the newest records in memory, and a bell for those who wait.

A fetch waits at the broker until something comes, so there is nothing else to wake anybody up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic

import structlog
from aiokafka import ConsumerRecord, TopicPartition

from daemon.records import BrokenChain, JournalRecord, TapeRecord
from streams.log import kafka_connection as kafka
from streams.log.kafka_address import Brokers
from streams.log.kafka_keys import End, read_key
from streams.log.tail import JournalTail, Stored, Tail
from streams.log.wakeups import Bell

POLL_SECONDS: Final = 0.001
RETRY_SECONDS: Final = 0.2
FETCH_SECONDS: Final = 1.0
BACK_RECORDS: Final = 64
"""How far before its end a journal is read at first, to find the last commit; eight times as far next."""

_log = structlog.get_logger("kafka")


class Follower(Generic[Stored]):
    """Keeps up with one partition. `start` first."""

    committed: bool
    tail: Tail[Stored]

    def __init__(self, brokers: Brokers, ends: kafka.Ends, partition: TopicPartition) -> None:
        self.partition = partition
        self.bell = Bell()
        self._ends = ends
        self._consumer = kafka.consumer(brokers, partition, committed=self.committed)
        self._task: asyncio.Task[None] | None = None
        self._broken: BrokenChain | None = None

    async def start(self) -> None:
        """Find the partition's end, and follow it from there. Raises `LogUnavailable`."""
        where = f"{self.partition.topic} {self.partition.partition}"
        try:
            await kafka.ask(f"read {where}", self._consumer.start())
            await kafka.ask(f"find the end of {where}", self._begin())
        except BaseException:
            await self._close_consumer()
            raise
        self._task = asyncio.create_task(self._follow(), name=f"follow {where}")

    async def end_offset(self) -> int:
        """The offset behind all that can be read now. Raises `LogUnavailable`."""
        return await self._ends.end(self.partition, committed=self.committed)

    async def sync(self) -> None:
        """Return when all is taken that could be read when this was called. Raises `LogUnavailable`."""
        end = await self.end_offset()
        if await self._consumer.position(self.partition) < end:
            await kafka.ask("catch up with Kafka", self._come_to(end))
        if self._broken is not None:
            raise self._broken

    async def until(self, come: Callable[[], bool], seconds: float) -> bool:
        """Wait until `come` holds, at most so long; whether it does."""
        until = asyncio.get_running_loop().time() + seconds
        while not come() and (left := until - asyncio.get_running_loop().time()) > 0:
            await self.bell.wait(come, left)
        return come()

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._close_consumer()

    async def _begin(self) -> None:
        """Take a position, and what is to be known of what lies before it."""
        raise NotImplementedError

    def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        raise NotImplementedError

    async def _come_to(self, end: int) -> None:
        # Marks move it on too, and of those nobody tells.
        while await self._consumer.position(self.partition) < end:  # noqa: ASYNC110
            await asyncio.sleep(POLL_SECONDS)

    async def _fetch(self, seconds: float) -> None:
        # The position moves on in the same breath in which the records come here: who sees it sees them.
        for records in (await self._consumer.getmany(timeout_ms=int(seconds * 1000))).values():
            self._take(records)
            self.bell.ring()

    async def _follow(self) -> None:
        while True:
            try:
                await self._fetch(FETCH_SECONDS)
            except kafka.TROUBLE as error:
                _log.warning("cannot follow", topic=self.partition.topic, error=kafka.told(error))
                await asyncio.sleep(RETRY_SECONDS)
            except BrokenChain as error:
                _log.error("not ours", topic=self.partition.topic, error=str(error))
                self._broken = error
                return

    async def _close_consumer(self) -> None:
        await kafka.stop(self._consumer)


class TapeFollower(Follower[TapeRecord]):
    """Follows a tape; `end` is the offset behind its last input."""

    committed = False

    def __init__(
        self, brokers: Brokers, ends: kafka.Ends, partition: TopicPartition, tail_bytes: int
    ) -> None:
        super().__init__(brokers, ends, partition)
        self.tail = Tail(tail_bytes)
        self.end = 0

    async def _begin(self) -> None:
        self.end = await self.end_offset()
        self._consumer.seek(self.partition, self.end)

    def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        self.tail.add([TapeRecord(each.offset, each.timestamp, each.value or b"") for each in records])
        self.end = records[-1].offset + 1


class JournalFollower(Follower[JournalRecord]):
    """Follows a journal, of which only what is committed is seen; `end` is that of the last commit."""

    committed = True

    def __init__(
        self, brokers: Brokers, ends: kafka.Ends, partition: TopicPartition, tail_bytes: int
    ) -> None:
        super().__init__(brokers, ends, partition)
        self.tail: JournalTail = JournalTail(tail_bytes)
        self.end = End()
        self.place = -1
        """Kafka's offset of the last commit's last record."""
        self._pending: list[JournalRecord] = []

    async def _begin(self) -> None:
        partition = self.partition
        first = (await self._consumer.beginning_offsets([partition]))[partition]
        end = await self.end_offset()
        back = BACK_RECORDS
        while True:
            start = max(first, end - back)
            self._consumer.seek(partition, start)
            while await self._consumer.position(partition) < end:
                await self._fetch(POLL_SECONDS)
            if self.place >= 0 or start == first:
                return
            self._pending.clear()
            back *= 8

    def _take(self, records: Sequence[ConsumerRecord[Any, Any]]) -> None:
        """Take whole commits; the rest of one that comes in two fetches is waited for."""
        for each in records:
            record, end = read_key(each.offset, each.key, each.value)
            if record is not None:
                self._pending.append(record)
            if end is not None:
                self.tail.commit(end.journal, end.reached, self._pending)
                self._pending.clear()
                self.end, self.place = end, each.offset
