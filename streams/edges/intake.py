"""Intake from the topic of signals outside: each record onto its owner's tape, or to the rejected ones.

Faust shares the partitions out and hands the records over. How far all is done stands on the tapes, with the
inputs themselves: a start goes on behind that, and what it appends again has the same ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, Protocol

import structlog
from faust.types import TP

from daemon import clock
from daemon.domain.commands import Input
from daemon.metrics import Metrics
from streams.edges.app import die, make_app, running
from streams.edges.gaps import Bounds
from streams.edges.names import EdgeTopics
from streams.edges.records import PASSED_HEADER, Judge, OutsideRecord, Rejection, rejected
from streams.intake import IntakeUnavailable, Overloaded
from streams.log import kafka_connection as kafka
from streams.log.contract import LogUnavailable
from streams.log.kafka_address import Brokers

BATCH_RECORDS_MAX: Final = 256
WAITING_MAX: Final = 1_024
"""Records taken from Faust that wait to be judged; one more waits there."""
AGAIN_SECONDS: Final = 0.5
"""Before a record that was refused for overload is tried again."""
LOOK_SECONDS: Final = 5.0
STILL_SECONDS_MAX: Final = 60.0
"""How long nothing may be dealt with, though records wait and none is refused for overload."""

_log = structlog.get_logger("outside")

Positions = Callable[[], Awaitable[Mapping[int, int]]]
"""Up to which offset each partition was taken in, by what the tapes say."""


class Tapes(Protocol):
    """Where inputs go."""

    async def put(self, item: Input) -> Any:
        """Append to the owner's tape. Raises `Overloaded` or `IntakeUnavailable`: nothing is stored then."""


class OutsideIntake:
    """One process's part of the intake. `run` it once."""

    def __init__(
        self,
        brokers: Brokers,
        topics: EdgeTopics,
        instance: str,
        judge: Judge,
        tapes: Tapes,
        positions: Positions,
        metrics: Metrics,
    ) -> None:
        self._brokers = brokers
        self._topics = topics
        self._instance = instance
        self._judge = judge
        self._tapes = tapes
        self._positions = positions
        self._metrics = metrics
        self._bounds = Bounds(brokers)
        self._producer = kafka.producer(brokers)
        self._waiting: asyncio.Queue[Any] = asyncio.Queue(WAITING_MAX)
        self._next: dict[int, int] = {}
        """Of each partition the offset before which all is dealt with, as far as this process knows."""
        self._assigned: AbstractSet[int] = frozenset()
        self._moved_at = clock.monotonic()

    async def run(self, stop: asyncio.Event) -> None:
        """Take records in until told to stop. Ends the process on anything unforeseen."""
        await self._bounds.start()
        await kafka.ask("connect to Kafka", self._producer.start())
        app = make_app(
            self._brokers,
            self._topics.intake_group,
            self._instance,
            self._topics.signals,
            places=self._places,
            take=self._waiting.put,
        )
        work = [asyncio.create_task(self._work()), asyncio.create_task(self._look())]
        try:
            async with running(app):
                await asyncio.wait(
                    [*work, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED
                )
                for task in work:
                    if task.done():
                        die("intake failed", task.exception())
        finally:
            for task in work:
                task.cancel()
            await asyncio.gather(*work, return_exceptions=True)
            await kafka.drop(self._producer)
            await self._bounds.stop()

    async def _places(self, assigned: AbstractSet[TP]) -> Mapping[TP, int]:
        """Where each assigned partition goes on; called by Faust whenever it was assigned some."""
        topic, partitions = self._topics.signals, sorted(tp.partition for tp in assigned)
        taken = await self._positions()
        firsts = await self._bounds.firsts(topic, partitions)
        ends = await self._bounds.ends(topic, partitions)
        for partition in partitions:
            passed = taken.get(partition, -1)
            if partition not in self._next:
                passed = max(passed, await self._bounds.last_passed(self._topics.rejected, partition))
            place = max(passed + 1, self._next.get(partition, 0))
            if place > ends[partition]:
                die(
                    f"{topic} {partition} ends at {ends[partition]}, but was taken in up to {place - 1}:"
                    " it was made anew, or has lost records"
                )
            if 0 < place < firsts[partition]:
                _log.error("records are gone unread", partition=partition, first=firsts[partition])
            self._next[partition] = max(place, firsts[partition])
        self._assigned = frozenset(partitions)
        self._moved_at = clock.monotonic()
        return {tp: self._next[tp.partition] for tp in assigned}

    async def _work(self) -> None:
        while True:
            events = [await self._waiting.get()]
            while len(events) < BATCH_RECORDS_MAX and not self._waiting.empty():
                events.append(self._waiting.get_nowait())
            await self._deal(events)
            for event in events:
                event.ack()
            self._moved_at = clock.monotonic()

    async def _deal(self, events: Sequence[Any]) -> None:
        """Append or reject all of these that were not dealt with before."""
        records: list[OutsideRecord] = []
        passed = {partition: place - 1 for partition, place in self._next.items()}
        for event in events:
            record = _record_of(event.message)
            expected = self._next[record.partition]
            if record.offset < expected:
                continue
            if record.offset > expected:
                await self._check_gap(record.partition, expected, record.offset)
            records.append(record)
            self._next[record.partition] = record.offset + 1
        if not records:
            return
        judged = await self._judge(records, passed)
        async with asyncio.TaskGroup() as group:
            for record, each in zip(records, judged, strict=True):
                if isinstance(each, Rejection):
                    group.create_task(self._reject(record, each, passed[record.partition]))
                else:
                    group.create_task(self._append(each))
        for record in records:
            self._metrics.outside_position.labels(record.partition).set(record.offset)

    async def _append(self, item: Input) -> None:
        """Append however long it takes: what stands outside cannot be told to come again."""
        while True:
            try:
                await self._tapes.put(item)
            except Overloaded as error:
                self._moved_at = clock.monotonic()
                await asyncio.sleep(min(error.retry_after, AGAIN_SECONDS))
            except IntakeUnavailable:
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                return

    async def _reject(self, record: OutsideRecord, why: Rejection, passed: int) -> None:
        key, value = rejected(record, why)
        async with asyncio.timeout(2 * kafka.ANSWER_SECONDS_MAX):
            await self._producer.send_and_wait(
                self._topics.rejected,
                value,
                key,
                record.partition,
                headers=[(PASSED_HEADER, b"%d" % max(passed, 0))] if passed >= 0 else [],
            )
        self._metrics.outside_rejected.labels(why.code).inc()

    async def _check_gap(self, partition: int, expected: int, found: int) -> None:
        """Offsets that no record has are marks, aborted or compacted; any other was dropped on its way."""
        first = await self._bounds.next_record(self._topics.signals, partition, expected)
        if first < found:
            die(f"{self._topics.signals} {partition}: record {first} was left out before {found}")
        self._metrics.outside_gaps.inc()

    async def _look(self) -> None:
        """End the process if it stands still beside records that wait: Faust may live and do nothing."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if clock.monotonic() - self._moved_at < STILL_SECONDS_MAX or not self._assigned:
                continue
            partitions = sorted(self._assigned)
            ends = await self._bounds.ends(self._topics.signals, partitions)
            for partition in partitions:
                place = self._next[partition]
                # Behind the last record there may only be the mark of a transaction.
                if place < ends[partition] and await self._holds(partition, place):
                    die(f"{self._topics.signals} {partition} stands still at {place}")
            self._moved_at = clock.monotonic()

    async def _holds(self, partition: int, place: int) -> bool:
        try:
            await self._bounds.next_record(self._topics.signals, partition, place)
        except LogUnavailable:
            return False
        return True


def _record_of(message: Any) -> OutsideRecord:
    headers = message.headers or {}
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return OutsideRecord(
        message.topic,
        message.partition,
        message.offset,
        # Milliseconds that Faust has made seconds of: the nearest whole one is the one that was stamped.
        round(message.timestamp * 1000),
        message.key,
        message.value,
        {name.lower(): value for name, value in pairs if value is not None},
    )
