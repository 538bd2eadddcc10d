"""The newest records that this very process has stored, so that its own stages need no query for them.

Only what the database has acknowledged gets in, so it stands there for good at those offsets. A tail has no
gaps: where others stored in between, it starts anew behind them. It never says that there is nothing more:
only the database knows that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final, Generic, TypeVar

from daemon.records import JournalRecord, TapeRecord
from streams.log.contract import JournalPage

Stored = TypeVar("Stored", TapeRecord, JournalRecord)

_OVERHEAD_BYTES: Final = 200
"""Of one record beside its data: the tuple, its numbers, the header of the bytes."""


class Tail(Generic[Stored]):
    """Records without a gap, the newest of at most `bytes_max` (with what Python adds)."""

    def __init__(self, bytes_max: int) -> None:
        self.records: list[Stored] = []
        self._bytes_max = bytes_max
        self._bytes = 0

    @property
    def end(self) -> int:
        """The offset behind the last record; 0 if there is none."""
        return self.records[-1].offset + 1 if self.records else 0

    def add(self, records: Sequence[Stored]) -> None:
        """Take what has just been stored. Answers of two appends may overtake one another."""
        first, end = records[0].offset, records[-1].offset + 1
        if self.records and end == self.records[0].offset:
            self.records[:0] = records
        elif first >= self.end:
            if first > self.end:
                self.clear()
            self.records.extend(records)
        else:
            return
        self._bytes += sum(map(_size, records))
        if self._bytes > self._bytes_max:
            self._trim()

    def clear(self) -> None:
        """Forget all."""
        self.records.clear()
        self._bytes = 0

    def after(self, after: int) -> int | None:
        """The place in `records` of the one behind offset `after`, if it is here."""
        if self.records and self.records[0].offset <= after + 1 < self.end:
            return after + 1 - self.records[0].offset
        return None

    def _trim(self) -> None:
        # To the half, so that moving the rest down is paid by many records.
        dropped = 0
        while self._bytes > self._bytes_max // 2:
            self._bytes -= _size(self.records[dropped])
            dropped += 1
        del self.records[:dropped]


class JournalTail(Tail[JournalRecord]):
    """As a tail, with the offset that the journal had reached with its last record or since."""

    def __init__(self, bytes_max: int) -> None:
        super().__init__(bytes_max)
        self._reached = -1

    def commit(self, last: int, reached: int, records: Sequence[JournalRecord]) -> None:
        """Take what has just been committed: the journal now ends at `last` and has come to `reached`."""
        if records:
            self.add(records)
        elif last != self.end - 1:
            # Something was committed that is not here: `reached` would belong to another end.
            self.clear()
        self._reached = reached

    def page(self, after: int, limit: int) -> JournalPage | None:
        """The page behind `after`, if it begins here: that of the moment of the last commit."""
        start = self.after(after)
        if start is None:
            return None
        records = self.records
        stop = min(start + max(limit, 1), len(records))
        if stop < len(records) and records[stop].tape_offset == records[stop - 1].tape_offset:
            # Entries lie in tape order, so the end of one is found without looking at each part.
            stop = bisect_right(records, records[stop - 1].tape_offset, lo=stop, key=_tape_offset)
        return JournalPage(records[start:stop], self._reached, complete=stop == len(records))


def _size(record: TapeRecord | JournalRecord) -> int:
    return len(record.data) + _OVERHEAD_BYTES


def _tape_offset(record: JournalRecord) -> int:
    return record.tape_offset
