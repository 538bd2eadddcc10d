"""How `tapefold why` finds entries in a journal."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from daemon.domain.commands import TimePassed
from daemon.domain.events import CommandDenied, Event
from ops.why.journal import PAGE, JournalReader
from streams.log.contract import JournalPage
from streams.log.memory import MemoryLog
from tests.support.history import History

ENTRIES = 8 * PAGE
DENIED = CommandDenied(code="NOT_FOUND", rule="agent")
LARGE: Sequence[Event] = [CommandDenied(code="NOT_FOUND", rule="r" * 1_000)] * 1_000
"""A megabyte, which is several records."""


class CountingLog(MemoryLog):
    """Counts the records that it gives of each entry."""

    def __init__(self) -> None:
        times = itertools.count(1_700_000_000_000)
        super().__init__(lambda: next(times), 1)
        self.pages = 0
        self.given: dict[int, int] = {}

    async def read_journal(self, tape: int, after: int, limit: int) -> JournalPage:
        page = await super().read_journal(tape, after, limit)
        self.pages += 1
        for record in page.records:
            self.given[record.tape_offset] = self.given.get(record.tape_offset, 0) + 1
        return page


async def history(large: Sequence[int]) -> tuple[CountingLog, JournalReader]:
    """Inputs of which every third got no entry, and some got a large one."""
    log = CountingLog()
    written = History(log)
    for number in range(ENTRIES):
        await written.add(TimePassed(), LARGE if number in large else None if number % 3 == 1 else [DENIED])
    await written.commit()
    return log, JournalReader(log, 0, written.journal)


async def test_every_place_is_found_in_any_order() -> None:
    """Each input leads to its own whole entry or to none, forward, backward and among large entries."""
    large = (0, 60, 61, 128, ENTRIES - 1)
    for step in (1, -1, 7, -11):
        _, reader = await history(large)
        for number in range(ENTRIES)[::step]:
            place = await reader.at(number)
            if number % 3 == 1 and number not in large:
                assert place is None
                continue
            assert place is not None
            assert place.tape_offset == number
            assert len(place.events) == (len(LARGE) if number in large else 1)
    assert await reader.at(ENTRIES) is None


async def test_a_large_entry_on_the_way_is_met_once() -> None:
    """However many places are asked for, an entry of megabytes beside them is read at most once to go by."""
    large = ENTRIES // 2
    log, reader = await history([large])
    for number in range(large - 60, large - 40):
        await reader.at(number)
    met = log.given[large]
    place = await reader.at(large)
    assert place is not None
    log.given.clear()
    await log.read_journal(0, place.journal_offset - 1, 1)
    assert 0 < met <= log.given[large]


async def test_neighbors_are_read_together() -> None:
    """Places that stand side by side cost one read for many, not one search each."""
    log, reader = await history([])
    for number in range(ENTRIES):
        await reader.at(number)
    assert log.pages < ENTRIES // 4
