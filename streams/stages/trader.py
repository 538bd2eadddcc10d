"""The trader: the single writer of its tape's journal.

It takes what waits on the tape, decides input by input against its working state, and commits the batch once:
all entries and the tape offset reached, atomically. Nobody outside sees the state before that. In a backlog
the next batch is decided while one is being committed, and is committed only after it. If the outcome of a
commit is unknown, all that was decided since is taken back and the journal is read; nothing is appended again
blindly.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

import structlog

from daemon import clock
from daemon.domain.commands import Actor, Input, TimePassed
from daemon.domain.errors import BrokenInvariant
from daemon.domain.inputs import drop
from daemon.domain.tape import Tape
from daemon.domain.values import InputId, Owner, use_context
from daemon.metrics import Metrics
from daemon.records import BrokenChain, TapeRecord, UnreadableRecord
from streams.intake import IntakeUnavailable
from streams.log.contract import Claim, Fenced, Log, LogEnd, LogUnavailable, OutcomeUnknown
from streams.stages.batch import Batch, names_drop
from streams.stages.breath import Breath
from streams.stages.counting import count_in_breaths
from streams.stages.deadline import Deadline
from streams.stages.deciding import add_entry, decide
from streams.stages.pages import Pages
from streams.stages.retrying import retry
from streams.stages.snapshotting import Snapshotter
from streams.stages.start import catch_up, fold_log, take_claim
from streams.standing import Standing

BATCH_SECONDS: Final = 0.02
"""How long a batch may decide before it is committed."""
ACTOR: Final = Actor(owner=Owner("tapefold"), key="trader")

_log = structlog.get_logger("trader")


class LostClaim(Exception):
    """A later claim fenced this trader; its process must claim and fold again."""


class Trader:
    """One tape's trader. `append` puts an input of its own on the tape and returns its offset."""

    def __init__(
        self,
        log: Log,
        number: int,
        standing: Standing,
        metrics: Metrics,
        append: Callable[[Input], Awaitable[int]],
        snapshots: Snapshotter | None = None,
    ) -> None:
        self._log = log
        self._number = number
        self._standing = standing
        self._place = standing.tapes[number]
        self._metrics = metrics
        self._append = append
        self._snapshots = snapshots or Snapshotter(number, metrics)
        self._deadline = Deadline()
        self._tape = Tape()
        self._claim: Claim | None = None
        self._end = LogEnd(-1, -1, "")
        """What is committed."""
        self._batch: Batch | None = None
        """What is being committed."""
        self._commit: asyncio.Task[int | None] | None = None
        self._pages = Pages(log, number)
        self._breath = Breath()
        self._stopped: asyncio.Future[bool]

    async def run(self, stop: asyncio.Event) -> None:
        """Claim, fold, and trade until `stop`; what is decided by then is committed.

        Raises `ClaimHeld` while another holds the tape, `LostClaim` when a later claim has fenced this one.
        """
        use_context()
        self._stopped = asyncio.ensure_future(stop.wait())
        try:
            await self._run(stop)
        except (BrokenChain, UnreadableRecord, BrokenInvariant) as error:
            # What is stored cannot be folded: nobody can trade on it, and to end would only begin again.
            offset = self._end.reached + 1
            _log.error("halted", tape=self._number, offset=offset, error=str(error))
            self._standing.halt("trader", self._number, offset, f"{type(error).__name__}: {error}")
            await self._stopped
        finally:
            self._stopped.cancel()

    async def _run(self, stop: asyncio.Event) -> None:
        claim = await take_claim(self._log, self._number, stop)
        if claim is None:
            return
        self._place.claimed, self._place.traded = True, False
        try:
            await retry(self._number, stop, lambda: self._unless_stopped(self._fold(claim)))
            while not stop.is_set():
                records = await retry(self._number, stop, self._read)
                if records:
                    await self._trade(records, stop)
                if self._place.head <= self._decided():
                    await self._settle(stop)
                    self._snapshots.offer(self._tape, self._end)
                    # Asks the log once a second, or when there is more.
                    await retry(self._number, stop, self._wait)
            await self._settle(stop)
        finally:
            self._place.claimed = self._place.trading = False
            self._pages.close()
            await self._snapshots.close()
            if self._commit is not None:
                self._commit.cancel()
            await self._log.release(claim)

    async def _fold(self, claim: Claim) -> None:
        began = clock.monotonic()
        folded = await fold_log(self._log, self._number, claim.journal, claim.reached, self._snapshots.store)
        self._claim, self._tape, self._end = claim, folded.tape, folded.end
        self._place.reached = folded.reached
        self._place.grow((await self._log.head(self._number)).tape)
        self._place.trading = True
        self._snapshots.begin(folded, clock.monotonic() - began)

    def _decided(self) -> int:
        """The tape offset up to which is decided."""
        return self._end.reached if self._batch is None else self._batch.reached

    async def _read(self) -> Sequence[TapeRecord]:
        return await self._pages.read(self._decided())

    async def _wait(self) -> None:
        """Wait for an input, or for the next deadline and then append a reminder."""
        deadline = self._tape.index.next_deadline()
        seconds = self._deadline.seconds_left(deadline)
        if seconds > 0:
            await self._wait_for_input(self._end.reached, seconds)
            return
        reminder = Input(id=InputId(clock.random_id()), actor=ACTOR, command=TimePassed())
        try:
            self._deadline.appended(await self._append(reminder))
        except IntakeUnavailable as error:
            raise LogUnavailable(str(error)) from error

    async def _wait_for_input(self, after: int, seconds: float) -> None:
        """Wait for an input behind `after`, at most so long and not beyond a stop."""
        if self._place.head > after:
            return
        await self._unless_stopped(self._log.wait_tape(self._number, after, seconds))

    async def _unless_stopped(self, work: Awaitable[None]) -> None:
        """Await this, but not beyond a stop."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait((task, self._stopped), return_when=asyncio.FIRST_COMPLETED)
            if task.done():
                task.result()
        finally:
            task.cancel()

    # --- deciding ----------------------------------------------------------------------------------------

    async def _trade(self, records: Sequence[TapeRecord], stop: asyncio.Event) -> None:
        """Decide these inputs in batches. The last one's commit may still be under way at the end."""
        place = 0
        while place < len(records) and not stop.is_set():
            before = self._batch
            batch = Batch(self._end.reached, self._end.hash) if before is None else before.next()
            place, error = await self._fill(batch, records, place)
            self._deadline.read(batch.reached, records[max(place - 1, 0)].at)
            if not await self._settle(stop):
                return  # this batch has been taken back with the one before it
            if batch.reached > self._end.reached:
                self._begin_commit(batch, stop)
            # Without a backlog there is nothing to do meanwhile.
            idle = place == len(records) and self._place.head <= batch.reached
            if (error is not None or idle) and not await self._settle(stop):
                return
            if error is not None:
                await self._halt(records[place], error, stop)
                return

    async def _fill(
        self, batch: Batch, records: Sequence[TapeRecord], place: int
    ) -> tuple[int, Exception | None]:
        """Decide inputs from `place` on, as many as fit; where the batch ends, and why the next one fails."""
        tape, breath = self._tape, self._breath
        breath.begin()
        until = clock.monotonic() + BATCH_SECONDS
        for number in range(place, len(records)):
            savepoint = tape.undo.savepoint()
            try:
                await decide(tape, records[number], batch, breath)
            except (UnreadableRecord, BrokenInvariant) as error:
                tape.undo.rollback(savepoint)
                return number, error
            if breath.is_due():
                await breath.take()
                if clock.monotonic() > until:
                    return number + 1, None
        return len(records), None

    # --- committing --------------------------------------------------------------------------------------

    def _begin_commit(self, batch: Batch, stop: asyncio.Event) -> None:
        claim, journal = self._held(), self._end.journal

        async def send() -> int:
            return await self._log.commit(claim, journal, batch.reached, batch.entries)

        batch.decided = self._tape.decided()
        batch.state = self._snapshots.copy_if_due(self._tape)
        batch.began = clock.monotonic()
        self._batch = batch
        self._commit = asyncio.ensure_future(retry(self._number, stop, send))

    async def _settle(self, stop: asyncio.Event) -> bool:
        """Wait for the commit under way; False if all was taken back and the journal was read instead."""
        batch, commit = self._batch, self._commit
        if batch is None or commit is None:
            return True
        try:
            journal = await commit
        except (OutcomeUnknown, Fenced) as error:
            _log.warning("commit in doubt", tape=self._number, error=str(error))
            journal = None
        self._batch = self._commit = None
        if journal is None:
            self._tape.undo.rollback()
            await retry(self._number, stop, self._catch_up)
            return False
        self._metrics.commit_seconds.observe(clock.monotonic() - batch.began)
        self._end = LogEnd(journal, batch.reached, batch.hash)
        self._tape.compact(batch.decided)
        self._place.reach(batch.reached)
        self._snapshots.committed(batch, self._end)
        await count_in_breaths(self._metrics, batch.events, self._breath)
        return True

    async def _catch_up(self) -> None:
        """Read back what the journal holds behind what was last known of it, and fold it."""
        try:
            claim = self._claim = await self._log.settle(self._held())
        except Fenced as error:
            raise LostClaim(str(error)) from error
        self._end = await catch_up(self._log, self._tape, self._end, claim, self._breath)
        self._place.reach(self._end.reached)

    def _held(self) -> Claim:
        if self._claim is None:
            raise LostClaim(f"tape {self._number} is not claimed")
        return self._claim

    # --- halting -----------------------------------------------------------------------------------------

    async def _halt(self, record: TapeRecord, error: Exception, stop: asyncio.Event) -> None:
        """Stay at an input that nobody can decide until a `DropInput` names it, and look for nothing else."""
        _log.error("halted", tape=self._number, offset=record.offset, error=str(error))
        self._standing.halt("trader", self._number, record.offset, str(error))
        after = record.offset
        while not stop.is_set():
            for later in await retry(self._number, stop, partial(self._pages.read, after)) or ():
                after = later.offset
                found = names_drop(later, record.offset)
                if found is not None:
                    await self._drop(record, found, stop)
                    return
            await self._wait_for_input(after, 1.0)

    async def _drop(self, record: TapeRecord, found: Input, stop: asyncio.Event) -> None:
        batch = Batch(record.offset, self._end.hash)
        events = drop(self._tape, record.offset, record.at, found)
        self._breath.begin()
        await add_entry(batch, record.offset, self._tape.now, events, self._breath)
        self._begin_commit(batch, stop)
        await self._settle(stop)
        if self._end.reached >= record.offset:  # else it is still in doubt, and the input is met again
            self._standing.resume("trader", self._number)
            _log.warning("dropped", tape=self._number, offset=record.offset, by=found.id)
