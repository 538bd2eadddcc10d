"""The trader: the single writer of its tape's journal.

It takes what waits on the tape, decides input by input against its working state, and commits the batch once:
all entries and the tape offset reached, atomically. Nobody outside sees the state before that. If the outcome
of a commit is unknown, the batch is taken back and the journal is read; nothing is appended again blindly.
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
from daemon.domain.events import AnyEvent
from daemon.domain.inputs import decide_input, drop
from daemon.domain.tape import Tape
from daemon.domain.values import InputId, Owner, use_context
from daemon.metrics import Metrics
from daemon.records import BrokenChain, TapeRecord, UnreadableRecord, decode_input, encode, seal
from streams.intake import IntakeUnavailable
from streams.log.contract import Claim, ClaimHeld, Fenced, Log, LogUnavailable, OutcomeUnknown
from streams.stages.batch import Batch, names_drop
from streams.stages.counting import count
from streams.stages.deadline import Deadline
from streams.stages.retrying import RETRY_SECONDS, retry
from streams.stages.start import LogEnd, fold_log, fold_record, read_back
from streams.standing import Standing

READ_LIMIT: Final = 1_000
BATCH_SECONDS: Final = 0.02
"""How long a batch may decide before it is committed."""
YIELD_SECONDS: Final = 0.002
"""How long the trader may hold the event loop."""
ENCODE_AT_ONCE: Final = 100
"""Events encoded between two looks at the clock."""
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
    ) -> None:
        self._log = log
        self._number = number
        self._standing = standing
        self._metrics = metrics
        self._append = append
        self._deadline = Deadline()
        self._tape = Tape()
        self._claim: Claim | None = None
        self._journal = -1
        self._reached = -1
        self._hash = ""
        self._held_loop_since = 0.0
        self._stopped: asyncio.Future[bool]

    async def run(self, stop: asyncio.Event) -> None:
        """Claim, fold, and trade until `stop`; what is decided by then is committed.

        Raises `LostClaim` when a later claim has fenced this one.
        """
        use_context()
        self._stopped = asyncio.ensure_future(stop.wait())
        try:
            await self._run(stop)
        except (BrokenChain, UnreadableRecord, BrokenInvariant) as error:
            # What is stored cannot be folded: nobody can trade on it, and to end would only begin again.
            offset = self._reached + 1
            _log.error("halted", tape=self._number, offset=offset, error=str(error))
            self._standing.halt("trader", self._number, offset, f"{type(error).__name__}: {error}")
            await self._stopped
        finally:
            self._stopped.cancel()

    async def _run(self, stop: asyncio.Event) -> None:
        claim = await self._take_claim(stop)
        if claim is None:
            return
        try:
            await retry(self._number, stop, lambda: self._unless_stopped(self._fold(claim)))
            while not stop.is_set():
                records = await retry(self._number, stop, self._read)
                if records:
                    await self._trade(records, stop)
                # Returns at once if the tape has grown: an idle trader asks the database once a second.
                await retry(self._number, stop, self._wait)
        finally:
            self._standing.tapes[self._number].trading = False
            await self._log.release(claim)

    async def _take_claim(self, stop: asyncio.Event) -> Claim | None:
        said = False
        while not stop.is_set():
            try:
                claim = await self._log.claim(self._number, "trader")
            except ClaimHeld as held:
                if not said:
                    _log.info("standing by", tape=self._number, holder=str(held))
                said = True
            except (LogUnavailable, OutcomeUnknown) as error:
                _log.warning("log unavailable", tape=self._number, error=str(error))
            else:
                return claim
            await asyncio.sleep(RETRY_SECONDS)
        return None

    async def _fold(self, claim: Claim) -> None:
        began = clock.monotonic()
        folded = await fold_log(self._log, self._number, claim.journal, claim.reached)
        self._claim, self._tape = claim, folded.tape
        self._journal, self._reached, self._hash = folded.journal, folded.reached, folded.hash
        standing = self._standing.tapes[self._number]
        standing.reached = folded.reached
        standing.grow((await self._log.head(self._number)).tape)
        standing.trading = True
        _log.info(
            "folded",
            tape=self._number,
            reached=folded.reached,
            journal=folded.journal,
            agents=len(folded.tape.agents),
            seconds=round(clock.monotonic() - began, 3),
        )

    async def _read(self, after: int | None = None) -> Sequence[TapeRecord]:
        begin = self._reached if after is None else after
        return await self._log.read_tape(self._number, begin, READ_LIMIT)

    async def _wait(self) -> None:
        """Wait for an input, or for the next deadline and then append a reminder."""
        deadline = self._tape.index.next_deadline()
        seconds = self._deadline.seconds_left(deadline)
        if seconds > 0:
            await self._wait_for_input(self._reached, seconds)
            return
        reminder = Input(id=InputId(clock.random_id()), actor=ACTOR, command=TimePassed())
        try:
            self._deadline.appended(await self._append(reminder))
        except IntakeUnavailable as error:
            raise LogUnavailable(str(error)) from error

    async def _wait_for_input(self, after: int, seconds: float) -> None:
        """Wait for an input behind `after`, at most so long and not beyond a stop."""
        if self._standing.tapes[self._number].head > after:
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
        """Decide as many of these inputs as fit a batch, and commit them."""
        self._held_loop_since = began = clock.monotonic()
        batch = Batch(self._reached, self._hash)
        halted: tuple[TapeRecord, Exception] | None = None
        for record in records:
            savepoint = self._tape.undo.savepoint()
            try:
                await self._decide(record, batch)
            except (UnreadableRecord, BrokenInvariant) as error:
                self._tape.undo.rollback(savepoint)
                halted = record, error
                break
            if clock.monotonic() - began > BATCH_SECONDS:
                break
        if batch.reached > self._reached and not await self._commit(batch, stop):
            return
        if halted is not None:
            await self._halt(*halted, stop)

    async def _decide(self, record: TapeRecord, batch: Batch) -> None:
        given = decode_input(record)
        steps = decide_input(self._tape, record.offset, record.at, given)
        events: list[AnyEvent] | None
        while True:
            try:
                next(steps)
            except StopIteration as done:
                events = done.value
                break
            await self._let_others_run()
        if events is not None:
            await self._seal(record, events, batch)
        self._deadline.read(record.offset, record.at)
        batch.reached = record.offset
        await self._let_others_run()

    async def _seal(self, record: TapeRecord, events: list[AnyEvent], batch: Batch) -> None:
        encoded: list[bytes] = []
        for number, event in enumerate(events, 1):
            encoded.append(encode(event))
            if number % ENCODE_AT_ONCE == 0:
                await self._let_others_run()
        sealed = seal(batch.hash, record.offset, self._tape.now, encoded)
        batch.hash = sealed.hash
        batch.entries.append(sealed)
        batch.events.extend(events)

    async def _let_others_run(self) -> None:
        if clock.monotonic() - self._held_loop_since > YIELD_SECONDS:
            await asyncio.sleep(0)
            self._held_loop_since = clock.monotonic()

    # --- committing --------------------------------------------------------------------------------------

    async def _commit(self, batch: Batch, stop: asyncio.Event) -> bool:
        """Commit a batch; False if it had to be taken back and the journal was read instead."""
        claim = self._held()
        began = clock.monotonic()

        async def send() -> int:
            return await self._log.commit(claim, self._journal, batch.reached, batch.entries)

        try:
            journal = await retry(self._number, stop, send)
        except (OutcomeUnknown, Fenced) as error:
            _log.warning("commit in doubt", tape=self._number, error=str(error))
            journal = None
        if journal is None:
            self._tape.undo.rollback()
            await retry(self._number, stop, self._catch_up)
            return False
        self._metrics.commit_seconds.observe(clock.monotonic() - began)
        count(self._metrics, batch.events)
        self._journal, self._reached, self._hash = journal, batch.reached, batch.hash
        self._tape.compact()
        self._standing.tapes[self._number].reach(batch.reached)
        return True

    async def _catch_up(self) -> None:
        """Read back what the journal holds behind what was last known of it, and fold it."""
        claim = self._held()
        head = await self._log.head(self._number)
        if head.epoch != claim.epoch:
            raise LostClaim(f"tape {self._number}: a later claim holds epoch {head.epoch}")
        records, entries, end = await read_back(
            self._log, self._number, LogEnd(self._journal, self._reached, self._hash), head
        )
        for record in records:  # all is read: from here on nothing can fail half-way
            fold_record(self._tape, record, entries.get(record.offset, ()))
        self._journal, self._reached, self._hash = end
        self._standing.tapes[self._number].reach(self._reached)

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
            for later in await retry(self._number, stop, partial(self._read, after)) or ():
                after = later.offset
                found = names_drop(later, record.offset)
                if found is not None:
                    await self._drop(record, found, stop)
                    return
            await self._wait_for_input(after, 1.0)

    async def _drop(self, record: TapeRecord, found: Input, stop: asyncio.Event) -> None:
        batch = Batch(record.offset, self._hash)
        events = drop(self._tape, record.offset, record.at, found)
        await self._seal(record, events, batch)
        await self._commit(batch, stop)
        if self._reached >= record.offset:  # else it is still in doubt, and the input is met again
            self._standing.resume("trader", self._number)
            _log.warning("dropped", tape=self._number, offset=record.offset, by=found.id)
