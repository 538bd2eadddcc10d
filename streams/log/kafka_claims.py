"""The journals that this process may commit to: taking one over, committing, being sure after a doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import TopicPartition

from daemon.records import Sealed
from streams.log import kafka_connection as kafka
from streams.log.contract import Claim, Fenced, LogUnavailable, OutcomeUnknown
from streams.log.kafka_address import Brokers
from streams.log.kafka_follower import JournalFollower
from streams.log.kafka_keys import End, records_of
from streams.log.kafka_writers import JournalWriter

SETTLE_SECONDS_MAX: Final = 5.0
"""How long a claim may find a transaction open that is not its own before it is given up."""
LOOK_SECONDS: Final = 0.02

_log = structlog.get_logger("kafka")


class Holding:
    """One tape's journal, held. Made by `take_over`."""

    def __init__(self, writer: JournalWriter, follower: JournalFollower, claim: Claim, place: int) -> None:
        self.claim = claim
        self.end = End(claim.journal, claim.reached, claim.epoch)
        self._writer: JournalWriter | None = writer
        self._follower = follower
        self._place = place
        """Kafka's offset that the next record must get."""

    async def commit(self, journal: int, reached: int, behind: int, entries: Sequence[Sealed]) -> int:
        """As the contract's `commit`, for entries that have been checked."""
        if self._writer is None:
            raise OutcomeUnknown(f"tape {self.claim.tape}: an earlier commit is still in doubt")
        if journal != self.end.journal or behind <= self.end.reached:
            raise Fenced(
                f"tape {self.claim.tape}: the journal ends at {self.end.journal} and has reached"
                f" {self.end.reached}, the commit expected {journal} and less than {behind}"
            )
        end = End(journal + sum(len(entry.parts) for entry in entries), reached, self.claim.epoch)
        try:
            self._place = await self._writer.write(records_of(entries, end), self._place)
            # An answer to a commit is not the truth: reading it back is.
            await _read_back(self.claim.tape, self._follower, end)
        except BaseException:
            await self.drop()
            raise
        self.end = end
        return end.journal

    async def drop(self) -> None:
        """Commit nothing more."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.drop()


async def take_over(
    brokers: Brokers,
    tape: int,
    follower: JournalFollower,
    ends: kafka.Ends,
    epoch: int | None = None,
) -> Holding:
    """Fence whoever held this journal, end what hangs in it, and hold it from its committed end on.

    With `epoch` the claim of that epoch goes on after a doubt; else it is a
    new one. Raises `LogUnavailable`, or `Fenced` if the claim to go on with has been followed by another.
    """
    await follower.sync()
    if epoch is not None:
        _must_be_last(tape, follower.end, epoch)
    writer = JournalWriter(brokers, tape)
    await writer.start()
    try:
        place = await _close_what_hangs(writer, tape, follower, ends)
        await follower.sync()
        end = follower.end
        if epoch is not None:
            _must_be_last(tape, end, epoch)
        else:
            end = End(end.journal, end.reached, end.epoch + 1)
            place = await writer.write(records_of([], end), place)
            await _read_back(tape, follower, end)
    except OutcomeUnknown as error:
        await writer.drop()
        # A claim more in the journal, without a holder, does no harm.
        raise LogUnavailable(str(error)) from error
    except BaseException:
        await writer.drop()
        raise
    return Holding(writer, follower, Claim(tape, end.epoch, end.journal, end.reached), place)


async def _read_back(tape: int, follower: JournalFollower, end: End) -> None:
    if not await follower.until(lambda: follower.end == end, kafka.ANSWER_SECONDS_MAX):
        raise OutcomeUnknown(f"tape {tape}: a commit was answered but cannot be read")


def _must_be_last(tape: int, end: End, epoch: int) -> None:
    if end.epoch != epoch:
        raise Fenced(f"tape {tape}: a later claim holds epoch {end.epoch}")


async def _close_what_hangs(
    writer: JournalWriter, tape: int, follower: JournalFollower, ends: kafka.Ends
) -> int:
    """Kafka's offset at the journal's end, once all before it is committed or aborted.

    Brokers can lose the mark of a commit (4.3 and 4.4 do): then the committed end stays behind, and our next
    commit would bring the hanging records to light, beside what has been decided instead of them.
    """
    partition = follower.partition
    until = asyncio.get_running_loop().time() + SETTLE_SECONDS_MAX
    healed = False
    while True:
        high = await ends.end(partition, committed=False)
        if await follower.end_offset() == high:
            return high
        if asyncio.get_running_loop().time() > until:
            raise LogUnavailable(
                f"tape {tape}: a transaction that is not ours stays open in {partition.topic}"
            )
        if not healed:
            healed = True
            _log.warning("closing a transaction without its mark", tape=tape, end=high)
            await writer.close_what_hangs()
        await asyncio.sleep(LOOK_SECONDS)


def partition_of(topic: str, tape: int) -> TopicPartition:
    """A tape's partition of one of our topics."""
    return TopicPartition(topic, tape)
