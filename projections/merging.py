"""Reads tape and journal merged in tape order: each input with the entry it got, if it got one."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Final, Protocol

from daemon.domain.values import check_context
from daemon.records import ChainReader, Entry, JournalRecord, TapeRecord
from projections.folding import Folder
from projections.progress import Reached

RECORDS_MAX: Final = 2_000
"""Journal records read at once."""
SECONDS_BETWEEN_BREATHS: Final = 0.002


class Page(Protocol):
    """What the log answers to `read_journal`."""

    @property
    def records(self) -> Sequence[JournalRecord]:
        """Records of whole entries."""

    @property
    def reached(self) -> int:
        """The tape offset that the journal had reached."""

    @property
    def complete(self) -> bool:
        """Whether `reached` belongs to the end of this page."""


class Source(Protocol):
    """What a fold needs of the log: to read it."""

    @property
    def tapes(self) -> int:
        """The number of tapes."""

    async def read_tape(self, tape: int, after: int, limit: int) -> Sequence[TapeRecord]:
        """Inputs behind an offset."""

    async def read_journal(self, tape: int, after: int, limit: int) -> Page:
        """Records behind a journal offset, whole entries only."""


class TapeGap(Exception):
    """The tape does not go on where it should."""


class FoldFailed(Exception):
    """An input, or its entry, cannot be folded; `__cause__` says why."""

    def __init__(self, offset: int, error: Exception) -> None:
        super().__init__(f"{type(error).__name__}: {error}")
        self.offset = offset


class Merge:
    """Takes `reached` from the journal first, then the tape up to it and never beyond."""

    def __init__(self, source: Source, tape: int, reached: Reached) -> None:
        self.ignored = 0
        """Journal records that belong to a tape offset passed before."""
        self.found: Entry | None = None
        """The entry of the last input passed."""
        self.read_to = reached.journal_offset
        """The last journal offset read, which may be ahead of what was folded."""
        self.upto = reached.tape_offset
        """The tape offset up to which the journal is known."""
        self._complete = False
        self._source = source
        self._tape = tape
        self._chain = ChainReader(reached.hash, reached.tape_offset)
        self._records: deque[JournalRecord] = deque()
        self._journal_offset = reached.journal_offset
        self._tape_offset = reached.tape_offset
        self._at = reached.at

    @property
    def at_end(self) -> bool:
        """Whether all was given out that the journal held when it was last read."""
        return self._complete and self._tape_offset >= self.upto

    async def read(self, limit: int, until: int | None = None) -> Sequence[TapeRecord]:
        """The next inputs that the journal has passed, up to the offset `until`; none: wait for more."""
        if self._tape_offset >= self.upto:
            page = await self._source.read_journal(self._tape, self.read_to, RECORDS_MAX)
            self._records.extend(page.records)
            if page.records:
                self.read_to = page.records[-1].offset
                self.upto = max(self.upto, page.records[-1].tape_offset)
            self._complete = page.complete
            if page.complete:
                self.upto = max(self.upto, page.reached)
        upto = self.upto if until is None else min(self.upto, until)
        if self._tape_offset >= upto:
            return ()
        wanted = min(limit, upto - self._tape_offset)
        records = (await self._source.read_tape(self._tape, self._tape_offset, wanted))[:wanted]
        for offset, record in enumerate(records, self._tape_offset + 1):
            if record.offset != offset:
                raise FoldFailed(offset, TapeGap(f"tape offset {offset}: found {record.offset} in its place"))
        return records

    def entry(self, record: TapeRecord) -> Entry | None:
        """The entry of the next input; `record` is passed with this.

        Raises `BrokenChain` or `UnreadableRecord`.
        """
        while not self.step(record):
            pass
        return self.found

    def step(self, record: TapeRecord) -> bool:
        """Read at most one journal record; True once `record` is passed, and its entry is `found`."""
        records, chain = self._records, self._chain
        self.found = None
        if records and records[0].tape_offset <= record.offset:
            part = records.popleft()
            if chain.whole and part.tape_offset < record.offset:
                self.ignored += 1
                return False
            self.found = chain.take(part)
            self._journal_offset = part.offset
            if self.found is None:
                return False
        self._tape_offset, self._at = record.offset, record.at
        return True

    def reached(self, now: int) -> Reached:
        """The offsets up to which inputs and entries were given out."""
        return Reached(self._journal_offset, self._tape_offset, self._chain.hash, self._at, now)


async def fold(merge: Merge, folder: Folder, records: Sequence[TapeRecord]) -> None:
    """Fold these inputs with their entries, leaving the loop to others at least every 2 ms.

    Raises `FoldFailed`; what the folder holds is then of no use.
    """
    check_context()
    clock = asyncio.get_running_loop().time
    due = clock() + SECONDS_BETWEEN_BREATHS
    for record in records:
        try:
            while not merge.step(record):
                if clock() > due:
                    due = await _breathe()
            for _ in folder.fold(record, merge.found):
                if clock() > due:
                    due = await _breathe()
        except Exception as error:
            raise FoldFailed(record.offset, error) from error
        if clock() > due:
            due = await _breathe()


async def _breathe() -> float:
    await asyncio.sleep(0)
    return asyncio.get_running_loop().time() + SECONDS_BETWEEN_BREATHS
