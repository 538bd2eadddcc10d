"""Entries and inputs at given tape offsets, read from the log."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence
from typing import Final, NamedTuple

from daemon.domain.commands import Input
from daemon.domain.events import AnyEvent
from daemon.records import JournalRecord, UnreadableRecord, decode_input, decode_part
from streams.log.contract import Log

PAGE: Final = 32
"""So few records are read at once instead of bisected further; neighbors are then at hand."""


class Place(NamedTuple):
    """One input and its entry, and where they stand."""

    tape_offset: int
    journal_offset: int
    """Of the entry's first record."""
    at: int
    """The trader's `now` when it decided."""
    version: int
    """Of the decider."""
    given: Input | None
    """None where its bytes are no input."""
    events: tuple[AnyEvent, ...]


class _Entry(NamedTuple):
    tape_offset: int
    first: int
    last: int


class JournalReader:
    """Finds entries of one tape. Tape offsets grow along the journal, so a place is found by bisection."""

    def __init__(self, log: Log, tape: int, last: int) -> None:
        self._log = log
        self._tape = tape
        self._last = last
        self._known: dict[int, Place | None] = {}
        # Where entries lie that were met on the way: one of many agents is megabytes, to be met once only.
        self._seen: list[_Entry] = []
        self._page: Sequence[JournalRecord] = ()

    async def at(self, tape_offset: int) -> Place | None:
        """The entry of an input; None if it got none. Raises `UnreadableRecord`."""
        if tape_offset not in self._known:
            self._known[tape_offset] = await self._read(tape_offset)
        return self._known[tape_offset]

    async def _read(self, tape_offset: int) -> Place | None:
        records = await self._find(tape_offset)
        if not records:
            return None
        parts = [decode_part(record) for record in records]
        events = tuple(event for part in parts for event in part.events)
        first = parts[0]
        given = await self._input(tape_offset)
        return Place(tape_offset, records[0].offset, first.at, first.version, given, events)

    async def _find(self, tape_offset: int) -> Sequence[JournalRecord]:
        if self._page and self._page[0].tape_offset <= tape_offset <= self._page[-1].tape_offset:
            return _of(self._page, tape_offset)
        low, high = self._between(tape_offset)
        while high - low > PAGE:
            entry, records = await self._meet((low + high) // 2)
            if entry.tape_offset < tape_offset:
                low = entry.last + 1
            elif entry.tape_offset > tape_offset:
                high = entry.first
            elif records[0].offset == entry.first:
                return records
            else:
                low, high = entry.first, entry.first + 1
        if low >= high:
            return ()
        self._page = (await self._log.read_journal(self._tape, low - 1, high - low)).records
        return _of(self._page, tape_offset)

    def _between(self, tape_offset: int) -> tuple[int, int]:
        """The journal offset from which on, and that before which, the entry must begin."""
        index = bisect_left(self._seen, (tape_offset,))
        low = self._seen[index - 1].last + 1 if index else 0
        if index == len(self._seen):
            return low, self._last + 1
        above = self._seen[index]
        return (above.first, above.first + 1) if above.tape_offset == tape_offset else (low, above.first)

    async def _meet(self, offset: int) -> tuple[_Entry, Sequence[JournalRecord]]:
        """The entry that holds a journal offset, and its records from there on."""
        records = (await self._log.read_journal(self._tape, offset - 1, 1)).records
        if not records:
            raise UnreadableRecord(f"journal offset {offset}: is missing")
        begin = records[0]
        entry = _Entry(begin.tape_offset, begin.offset - decode_part(begin).part, records[-1].offset)
        insort(self._seen, entry)
        return entry, records

    async def _input(self, tape_offset: int) -> Input | None:
        for record in await self._log.read_tape(self._tape, tape_offset - 1, 1):
            if record.offset == tape_offset:
                try:
                    return decode_input(record)
                except UnreadableRecord:
                    return None
        raise UnreadableRecord(f"tape offset {tape_offset}: is missing")


def _of(records: Sequence[JournalRecord], tape_offset: int) -> Sequence[JournalRecord]:
    return [record for record in records if record.tape_offset == tape_offset]
