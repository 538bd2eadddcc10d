"""How workers share the tapes of a log."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streams.sharing import Share, share_of


@given(tapes=st.integers(1, 200), workers=st.integers(1, 50))
def test_shares_are_all_tapes_and_alike(tapes: int, workers: int) -> None:
    """Together the workers hold every tape, and no two of them differ by more than one."""
    shares = [share_of(tapes, place, workers) for place in range(workers)]
    assert sum(shares) == tapes
    assert max(shares) - min(shares) <= 1


def test_a_worker_takes_no_more_than_its_share() -> None:
    """Once it holds its share, it may try to take nothing more until it gives something back."""
    share = Share(4)
    share.allow(2)
    assert [share.take(tape) for tape in range(4)] == [True, True, False, False]
    share.give(0)
    assert share.take(3)
    assert share.held == {1, 3}


def test_what_is_beyond_a_share_is_to_be_left() -> None:
    """A smaller share asks for the surplus alone to be left, and nothing that was left is taken again."""
    share = Share(4)
    assert all(share.take(tape) for tape in range(4))
    share.allow(2)
    assert [share.leave(tape).is_set() for tape in range(4)] == [False, False, True, True]
    share.give(2)
    assert not share.take(2)
    share.give(3)
    assert not share.take(3)
    assert share.held == {0, 1}


def test_a_larger_share_takes_up_what_was_left() -> None:
    """When another worker has gone, what was to be left may be taken again."""
    share = Share(2)
    assert share.take(0)
    assert share.take(1)
    share.allow(1)
    share.give(1)
    share.allow(2)
    assert share.take(1)


def test_a_worker_that_ends_leaves_all_for_good() -> None:
    """After closing nothing is taken, whatever the number of workers becomes."""
    share = Share(2)
    assert share.take(0)
    share.close()
    share.give(0)
    assert [share.take(tape) for tape in range(2)] == [False, False]
    assert share.leave(0).is_set()
