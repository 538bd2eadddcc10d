"""The log in lists: for tests and backtests. It forgets everything when its process ends."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from daemon.records import JournalRecord, Sealed, TapeRecord
from streams.log.checks import check_append, check_commit
from streams.log.contract import Appended, Claim, Fenced, Head, JournalPage
from streams.log.wakeups import Bell


class _Tape:
    def __init__(self) -> None:
        self.inputs: list[TapeRecord] = []
        self.records: list[JournalRecord] = []
        self.reached = -1
        self.epoch = 0
        self.tape_bell = Bell()
        self.journal_bell = Bell()


class MemoryLog:
    """A log of one process. `clock` gives the milliseconds since the epoch, asked once per append.

    There is no other process that could hold a claim, so a claim is never refused: it fences the last one.
    """

    def __init__(self, clock: Callable[[], int], tapes: int = 1) -> None:
        self._clock = clock
        self._tapes = [_Tape() for _ in range(tapes)]

    @property
    def tapes(self) -> int:
        """T, the number of tapes."""
        return len(self._tapes)

    async def append(self, tape: int, inputs: Sequence[bytes]) -> Appended:
        """Append inputs, all at one time."""
        check_append(inputs)
        stored, at = self._tapes[tape], self._clock()
        first = len(stored.inputs)
        stored.inputs.extend(TapeRecord(offset, at, data) for offset, data in enumerate(inputs, first))
        stored.tape_bell.ring()
        return Appended(first, at)

    async def claim(self, tape: int, holder: str) -> Claim:
        """Take the tape's claim and fence every earlier one."""
        stored = self._tapes[tape]
        stored.epoch += 1
        return Claim(tape, stored.epoch, len(stored.records) - 1, stored.reached)

    async def release(self, claim: Claim) -> None:
        """Nothing to do: a claim keeps nobody out here."""

    async def commit(self, claim: Claim, journal: int, reached: int, entries: Sequence[Sealed]) -> int:
        """Append entries and set `reached`, atomically; returns the journal's last offset."""
        stored, behind = self._tapes[claim.tape], check_commit(reached, entries)
        head = len(stored.records) - 1
        if claim.epoch != stored.epoch:
            raise Fenced(f"tape {claim.tape}: epoch {claim.epoch} is over, {stored.epoch} holds the claim")
        if journal != head or behind <= stored.reached:
            raise Fenced(
                f"tape {claim.tape}: the journal ends at {head} and has reached {stored.reached}, "
                f"the commit expected {journal} and less than {behind}"
            )
        for entry in entries:
            for part in entry.parts:
                head += 1
                stored.records.append(JournalRecord(head, entry.tape_offset, part))
        stored.reached = reached
        stored.journal_bell.ring()
        return head

    async def settle(self, claim: Claim) -> Claim:
        """Nothing is ever in doubt: the claim with the ends as they are."""
        stored = self._tapes[claim.tape]
        if claim.epoch != stored.epoch:
            raise Fenced(f"tape {claim.tape}: epoch {claim.epoch} is over, {stored.epoch} holds the claim")
        return Claim(claim.tape, claim.epoch, len(stored.records) - 1, stored.reached)

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        """Up to `limit` inputs behind offset `after`, in order and without a gap."""
        return self._tapes[tape].inputs[after + 1 : after + 1 + limit]

    async def read_journal(self, tape: int, after: int, limit: int) -> JournalPage:
        """Records behind journal offset `after`, whole entries only."""
        stored = self._tapes[tape]
        records = stored.records
        end = min(after + 1 + max(limit, 1), len(records))
        while end < len(records) and records[end].tape_offset == records[end - 1].tape_offset:
            end += 1
        return JournalPage(records[after + 1 : end], stored.reached, complete=end == len(records))

    async def wait_tape(self, tape: int, after: int, seconds: float) -> None:
        """Return when the tape holds an input behind `after`, or after `seconds` (at most 1 s)."""
        stored = self._tapes[tape]
        await stored.tape_bell.wait(lambda: len(stored.inputs) > after + 1, seconds)

    async def wait_journal(self, tape: int, after: int, reached: int, seconds: float) -> None:
        """Return when the journal holds a record behind `after` or has passed `reached`, or in time."""
        stored = self._tapes[tape]
        await stored.journal_bell.wait(
            lambda: len(stored.records) > after + 1 or stored.reached > reached, seconds
        )

    async def head(self, tape: int) -> Head:
        """The ends of tape and journal, in one snapshot."""
        stored = self._tapes[tape]
        return Head(len(stored.inputs) - 1, len(stored.records) - 1, stored.reached, stored.epoch)

    async def close(self) -> None:
        """Nothing to give up."""
