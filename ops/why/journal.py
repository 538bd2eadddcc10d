"""Entries and inputs at given tape offsets, read from the log."""

from __future__ import annotations

from typing import NamedTuple

from daemon.domain.commands import Input
from daemon.domain.events import AnyEvent
from daemon.records import UnreadableRecord, decode_input, decode_part
from streams.log.contract import Log


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


class JournalReader:
    """Finds entries of one tape. Tape offsets grow along the journal, so a place is found by bisection."""

    def __init__(self, log: Log, tape: int, last: int) -> None:
        self._log = log
        self._tape = tape
        self._last = last
        self._known: dict[int, Place | None] = {}

    async def at(self, tape_offset: int) -> Place | None:
        """The entry of an input; None if it got none. Raises `UnreadableRecord`."""
        if tape_offset not in self._known:
            self._known[tape_offset] = await self._read(tape_offset)
        return self._known[tape_offset]

    async def _read(self, tape_offset: int) -> Place | None:
        low, high = 0, self._last + 1
        while low < high:
            middle = (low + high) // 2
            page = await self._log.read_journal(self._tape, middle - 1, 1)
            if not page.records:
                raise UnreadableRecord(f"journal offset {middle}: is missing")
            if page.records[0].tape_offset < tape_offset:
                low = middle + 1
            else:
                high = middle
        if low > self._last:
            return None
        records = (await self._log.read_journal(self._tape, low - 1, 1)).records
        if not records or records[0].tape_offset != tape_offset:
            return None
        parts = [decode_part(record) for record in records if record.tape_offset == tape_offset]
        events = tuple(event for part in parts for event in part.events)
        return Place(tape_offset, low, parts[0].at, parts[0].version, await self._input(tape_offset), events)

    async def _input(self, tape_offset: int) -> Input | None:
        for record in await self._log.read_tape(self._tape, tape_offset - 1, 1):
            if record.offset == tape_offset:
                try:
                    return decode_input(record)
                except UnreadableRecord:
                    return None
        raise UnreadableRecord(f"tape offset {tape_offset}: is missing")
