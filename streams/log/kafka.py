"""The log in two topics of Apache Kafka: for many machines.

Partition t of each topic is tape t. Offsets of the tape are Kafka's; those of the journal stand in the keys
of its records (`kafka_keys.py`). Who may claim is decided by a session lock in Postgres, as on the embedded
log; what protects the journal is Kafka's own fence, with the checks of `kafka_writers.py` and
`kafka_claims.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from daemon.database import Database
from daemon.records import Sealed, TapeRecord
from streams.log import kafka_connection as kafka
from streams.log.checks import check_append, check_commit
from streams.log.claim_locks import ClaimLocks
from streams.log.contract import Appended, Claim, ClaimHeld, Fenced, Head, JournalPage
from streams.log.kafka_address import Brokers
from streams.log.kafka_claims import Holding, partition_of, take_over
from streams.log.kafka_follower import JournalFollower, TapeFollower
from streams.log.kafka_history import History
from streams.log.kafka_writers import TapeWriter

TAIL_BYTES_MAX: Final = 32 * 1024 * 1024
"""Of all followed tapes together, and again of all journals, kept in memory."""

F = TypeVar("F", TapeFollower, JournalFollower)


class KafkaLog:
    """A log in checked topics; `open` makes it. The database of the claims stays its owner's to close."""

    def __init__(self, brokers: Brokers, database: Database, tapes: int, tail_bytes: int) -> None:
        self._brokers = brokers
        self._tapes = tapes
        self._tail_bytes = max(tail_bytes // tapes, 1)
        self._locks = ClaimLocks(database)
        self._writer = TapeWriter(brokers)
        self._ends = kafka.Ends(brokers)
        self._tape_followers: dict[int, asyncio.Task[TapeFollower]] = {}
        self._journal_followers: dict[int, asyncio.Task[JournalFollower]] = {}
        self._histories: dict[tuple[str, int], History] = {}
        self._held: dict[int, Holding] = {}

    @classmethod
    async def open(
        cls, brokers: Brokers, database: Database, tapes: int, *, tail_bytes: int = TAIL_BYTES_MAX
    ) -> Self:
        """The log in topics of so many partitions. Raises `LogUnavailable`."""
        log = cls(brokers, database, tapes, tail_bytes)
        await log._ends.start()
        return log

    @property
    def brokers(self) -> Brokers:
        """Where it is."""
        return self._brokers

    @property
    def tapes(self) -> int:
        """T, the number of tapes."""
        return self._tapes

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        """Append inputs as one batch, all at one time; durable when it returns."""
        check_append(inputs)
        return await self._writer.append(tape, inputs)

    async def claim(self, tape: int, holder: str) -> Claim:
        """Take the tape's claim and fence every earlier one; `holder` is told to whom it is refused."""
        await self._locks.take(tape, holder)
        await self._let_go(tape)
        holding = await take_over(self._brokers, tape, await self._journal(tape), self._ends)
        self._held[tape] = holding
        return holding.claim

    async def settle(self, claim: Claim) -> Claim:
        """Make sure of what was committed under a claim, and go on with it from there."""
        holding = self._holding(claim)
        await holding.drop()
        try:
            # Whoever has lost the lock to another would fence it for nothing.
            await self._locks.confirm(claim.tape)
        except ClaimHeld as error:
            raise Fenced(str(error)) from error
        follower = await self._journal(claim.tape)
        self._held[claim.tape] = await take_over(self._brokers, claim.tape, follower, self._ends, claim.epoch)
        return self._held[claim.tape].claim

    async def release(self, claim: Claim) -> None:
        """Give the claim up, so that another can take it at once. A fenced one has nothing to give."""
        holding = self._held.get(claim.tape)
        if holding is not None and holding.claim.epoch == claim.epoch:
            await self._let_go(claim.tape)
            await self._locks.give(claim.tape)

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        """Append entries and set `reached`, atomically; returns the journal's last offset."""
        behind = check_commit(reached, entries)
        return await self._holding(claim).commit(journal, reached, behind, entries)

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        """Up to `limit` inputs behind offset `after`, in order and without a gap."""
        follower = await self._tape(tape)
        if after + 1 >= follower.end:
            await follower.sync()
        start = follower.tail.after(after)
        if start is not None:
            return follower.tail.records[start : start + limit]
        if after + 1 >= follower.end or limit < 1:
            return []
        history = self._history(self._brokers.tape, tape, committed=False)
        return await history.inputs(after + 1, limit, follower.end)

    async def read_journal(self, tape: int, after: int, limit: int) -> JournalPage:
        """Records behind journal offset `after`, whole entries only."""
        follower = await self._journal(tape)
        if after >= follower.end.journal:
            await follower.sync()
        page = follower.tail.page(after, limit)
        if page is not None:
            return page
        end = follower.end
        if after >= end.journal:
            return JournalPage([], end.reached, complete=True)
        history = self._history(self._brokers.journal, tape, committed=True)
        records = await history.records(after + 1, limit, end.journal, follower.place)
        return JournalPage(records, end.reached, complete=records[-1].offset == end.journal)

    async def wait_tape(self, tape: int, after: int, seconds: float) -> None:
        """Return when the tape holds an input behind `after`, or after `seconds` (at most 1 s)."""
        follower = await self._tape(tape)
        await follower.bell.wait(lambda: follower.end > after + 1, seconds)

    async def wait_journal(self, tape: int, after: int, reached: int, seconds: float) -> None:
        """Return when the journal holds a record behind `after` or has passed `reached`, or in time."""
        follower = await self._journal(tape)
        await follower.bell.wait(
            lambda: follower.end.journal > after or follower.end.reached > reached, seconds
        )

    async def head(self, tape: int) -> Head:
        """The ends of tape and journal: nothing is committed that is not on the tape as told here."""
        journal = await self._journal(tape)
        await journal.sync()
        end = journal.end
        inputs = await self._tape(tape)
        await inputs.sync()
        return Head(inputs.end - 1, end.journal, end.reached, end.epoch)

    async def close(self) -> None:
        """Give up claims and connections."""
        for tape in list(self._held):
            await self._let_go(tape)
        await asyncio.gather(
            self._locks.close(),
            self._writer.close(),
            self._ends.stop(),
            *(history.close() for history in self._histories.values()),
            *(_stop(task) for task in self._tape_followers.values()),
            *(_stop(task) for task in self._journal_followers.values()),
        )

    async def _let_go(self, tape: int) -> None:
        holding = self._held.pop(tape, None)
        if holding is not None:
            await holding.drop()

    def _holding(self, claim: Claim) -> Holding:
        holding = self._held.get(claim.tape)
        if holding is None or holding.claim.epoch != claim.epoch:
            raise Fenced(f"tape {claim.tape}: epoch {claim.epoch} is over")
        return holding

    async def _tape(self, tape: int) -> TapeFollower:
        return await self._following(
            self._tape_followers,
            tape,
            lambda: TapeFollower(
                self._brokers, self._ends, partition_of(self._brokers.tape, tape), self._tail_bytes
            ),
        )

    async def _journal(self, tape: int) -> JournalFollower:
        return await self._following(
            self._journal_followers,
            tape,
            lambda: JournalFollower(
                self._brokers, self._ends, partition_of(self._brokers.journal, tape), self._tail_bytes
            ),
        )

    async def _following(self, followers: dict[int, asyncio.Task[F]], tape: int, make: Callable[[], F]) -> F:
        """The follower of a tape, started by whoever asks first."""
        task = followers.get(tape)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            if not 0 <= tape < self._tapes:
                raise ValueError(f"there is no tape {tape}")
            task = followers[tape] = asyncio.create_task(_start(make()), name=f"start following {tape}")
        return task.result() if task.done() else await asyncio.shield(task)

    def _history(self, topic: str, tape: int, *, committed: bool) -> History:
        history = self._histories.get((topic, tape))
        if history is None:
            partition = partition_of(topic, tape)
            history = History(self._brokers, partition, committed=committed)
            self._histories[topic, tape] = history
        return history


async def _start(follower: F) -> F:
    await follower.start()
    return follower


async def _stop(task: asyncio.Task[F]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and task.exception() is None:
        await task.result().stop()
