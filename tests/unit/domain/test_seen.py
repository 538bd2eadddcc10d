"""The window of ids: 24 h of now, and never fewer than the last 100,000."""

from __future__ import annotations

import pytest

from daemon.domain import seen
from daemon.domain.seen import KEEP_COUNT, KEEP_MS, SeenIds
from daemon.domain.undo import Undo
from daemon.domain.values import InputId


class Window:
    def __init__(self) -> None:
        self.undo = Undo()
        self.ids = SeenIds(self.undo)
        self.offset = 0

    def add(self, name: str, now: int) -> None:
        self.ids.remember(InputId(name), self.offset, "hash", now)
        self.offset += 1

    def knows(self, *names: str) -> list[bool]:
        return [self.ids.get(InputId(name)) is not None for name in names]

    def commit(self) -> None:
        self.undo.forget()
        self.ids.compact()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Window:
    """A window that keeps at least 3 ids."""
    monkeypatch.setattr(seen, "KEEP_COUNT", 3)
    return Window()


def test_the_window_is_a_day_and_a_hundred_thousand() -> None:
    """The figures of the window are those promised to clients that retry."""
    assert (KEEP_MS, KEEP_COUNT) == (86_400_000, 100_000)


def test_an_id_keeps_its_first_offset_and_hash() -> None:
    """What is known of an id is where it stood first and with which body."""
    window = Window()
    window.add("a", 0)
    window.add("b", 0)
    first = window.ids.get(InputId("b"))
    assert first is not None
    assert (first.offset, first.hash) == (1, "hash")


def test_the_last_ids_are_kept_however_old(small: Window) -> None:
    """Three ids of last year still count, and the fourth pushes out the first."""
    for name in "abc":
        small.add(name, 0)
    assert small.knows(*"abc") == [True] * 3
    small.add("d", 365 * KEEP_MS)
    assert small.knows(*"abcd") == [False, True, True, True]


def test_an_id_is_kept_for_a_day_however_many(small: Window) -> None:
    """Any number of ids of the last 24 h count; a millisecond later the oldest go."""
    for number in range(10):
        small.add(str(number), number)
    small.add("at", KEEP_MS)
    assert small.knows("0", "1") == [True, True]
    small.add("past", KEEP_MS + 1)
    assert small.knows("0", "1", "2") == [False, True, True]
    assert len(small.ids) == 11


def test_a_forgotten_id_begins_anew(small: Window) -> None:
    """An id that has left the window can be remembered again, and compacting keeps its second life."""
    small.add("a", 0)
    for name in "bcd":
        small.add(name, 2 * KEEP_MS)
    assert small.knows("a") == [False]
    small.add("a", 2 * KEEP_MS)
    small.commit()
    assert small.knows(*"abcd") == [True] * 4
    first = small.ids.get(InputId("a"))
    assert first is not None
    assert first.offset == 4


@pytest.mark.parametrize("commits", [True, False])
def test_commits_do_not_move_the_window(small: Window, commits: bool) -> None:
    """What is forgotten depends on the inputs alone, not on where batches end."""
    for number in range(50):
        small.add(str(number), number * KEEP_MS // 4)
        if commits:
            small.commit()
    known = [number for number in range(50) if small.knows(str(number))[0]]
    assert known == list(range(45, 50))


def test_a_rollback_brings_ids_back(small: Window) -> None:
    """Ids remembered and forgotten since a savepoint are as they were before it."""
    for name in "abc":
        small.add(name, 0)
    small.commit()
    savepoint = small.undo.savepoint()
    for name in ("d", "e", "a2"):
        small.add(name, 2 * KEEP_MS)
    assert small.knows("a", "b", "d") == [False, False, True]
    small.undo.rollback(savepoint)
    assert small.knows("a", "b", "c", "d", "e") == [True, True, True, False, False]
    assert len(small.ids) == 3
    small.add("d", 1)
    assert small.knows("d") == [True]


def test_a_rollback_brings_back_what_an_id_meant(small: Window) -> None:
    """A forgotten id that was remembered anew and rolled back is forgotten again."""
    small.add("a", 0)
    for name in "bcd":
        small.add(name, 2 * KEEP_MS)
    small.undo.forget()
    small.add("a", 2 * KEEP_MS)
    small.undo.rollback()
    assert small.knows("a") == [False]
    small.ids.compact()
    assert small.knows(*"abcd") == [False, True, True, True]
