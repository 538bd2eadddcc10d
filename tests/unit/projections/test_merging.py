from __future__ import annotations

import itertools

import pytest

from daemon.domain.commands import TimePassed
from daemon.domain.values import use_context
from daemon.records import BrokenChain, Entry, JournalRecord, TapeRecord
from projections.folding import Folder, State
from projections.merging import FoldFailed, Merge, TapeGap, fold
from projections.progress import START, Reached
from streams.log.memory import MemoryLog
from tests.support.history import History


@pytest.fixture
def log() -> MemoryLog:
    times = itertools.count(1_700_000_000_000)
    return MemoryLog(lambda: next(times))


async def taken(merge: Merge, limit: int = 1_000, until: int | None = None) -> list[tuple[int, Entry | None]]:
    return [(record.offset, merge.entry(record)) for record in await merge.read(limit, until)]


async def test_inputs_come_with_their_entries(log: MemoryLog) -> None:
    """Each input comes once, in order, with the entry it got, however few are taken at once."""
    history = History(log)
    for number in range(9):
        await history.add(TimePassed(), None if number % 3 else ())
    await history.commit()
    merge, found = Merge(log, 0, START), []
    while some := await taken(merge, 2):
        found += some
    assert [offset for offset, _ in found] == list(range(9))
    assert [entry.tape_offset for _, entry in found if entry is not None] == [0, 3, 6]
    assert merge.reached(7) == Reached(2, 8, history.hash, 1_700_000_000_008, 7)


async def test_the_tape_is_never_ahead_of_the_journal(log: MemoryLog) -> None:
    """An input that the journal has not passed is not read, though it stands on the tape."""
    history = History(log)
    await history.add(TimePassed())
    await history.commit()
    await history.add(TimePassed())
    merge = Merge(log, 0, START)
    assert [offset for offset, _ in await taken(merge)] == [0]
    assert await taken(merge) == []
    await history.commit()
    assert [offset for offset, _ in await taken(merge)] == [1]


async def test_a_fold_can_end_early(log: MemoryLog) -> None:
    """With an end given, nothing behind it is read."""
    history = History(log)
    for _ in range(5):
        await history.add(TimePassed())
    await history.commit()
    merge = Merge(log, 0, START)
    assert [offset for offset, _ in await taken(merge, until=2)] == [0, 1, 2]
    assert await taken(merge, until=2) == []


async def test_what_was_passed_is_counted_and_ignored(log: MemoryLog) -> None:
    """A journal record of a tape offset passed before is no entry again."""
    history = History(log)
    for _ in range(2):
        await history.add(TimePassed())
    await history.commit()
    records = log._tapes[0].records
    records[:] = [
        JournalRecord(number, old.tape_offset, old.data)
        for number, old in enumerate((records[0], records[0], records[1]))
    ]
    merge = Merge(log, 0, START)
    assert [entry is not None for _, entry in await taken(merge)] == [True, True]
    assert merge.ignored == 1


async def test_a_broken_chain_stops_the_fold(log: MemoryLog) -> None:
    """An entry that does not follow from the one before it stops the fold at its input."""
    history = History(log)
    await history.add(TimePassed())
    history.hash = "ff" * 32
    await history.add(TimePassed())
    await history.commit()
    merge = Merge(log, 0, START)
    use_context()
    with pytest.raises(FoldFailed) as failed:
        await fold(merge, Folder(0, State()), await merge.read(10))
    assert isinstance(failed.value.__cause__, BrokenChain)
    assert failed.value.offset == 1


async def test_a_gap_in_the_tape_stops_the_fold(log: MemoryLog) -> None:
    """An input that is missing on the tape stops the fold at its offset."""
    history = History(log)
    for _ in range(3):
        await history.add(TimePassed())
    await history.commit()
    inputs = log._tapes[0].inputs
    inputs[1] = TapeRecord(7, inputs[1].at, inputs[1].data)
    with pytest.raises(FoldFailed) as failed:
        await Merge(log, 0, START).read(10)
    assert isinstance(failed.value.args[0], str)
    assert failed.value.offset == 1
    assert TapeGap.__name__ in str(failed.value)
