from __future__ import annotations

import pytest

from daemon.domain.errors import DomainError
from daemon.domain.events import LedgerEntry
from daemon.domain.ledger import apply, post
from daemon.domain.values import QUANTITY_MAX, SOL
from tests.support.examples import MINT


def test_entries_follow_each_other() -> None:
    """Each entry holds the balance after it, also within one posting; zeros are left out."""
    entries = post({SOL: 100}, [(SOL, -60, "swap"), (SOL, -1, "fee"), (MINT, 0, "swap"), (MINT, 7, "swap")])
    assert [(each.mint, each.change, each.balance, each.reason) for each in entries] == [
        (SOL, -60, 40, "swap"),
        (SOL, -1, 39, "fee"),
        (MINT, 7, 7, "swap"),
    ]
    assert apply({SOL: 100}, entries) == {SOL: 39, MINT: 7}


@pytest.mark.parametrize(("balance", "change"), [(10, -11), (QUANTITY_MAX, 1), (0, -1)])
def test_a_balance_stays_within_its_bounds(balance: int, change: int) -> None:
    """No posting takes a balance below zero or beyond 2^64 − 1."""
    with pytest.raises(DomainError):
        post({SOL: balance}, [(SOL, change, "swap")])
    assert post({SOL: 10}, [(SOL, -10, "swap")])[0].balance == 0


def test_a_balance_does_not_dip_below_zero_on_the_way() -> None:
    """Entries are judged one by one: what comes in later does not pay for what goes out now."""
    with pytest.raises(DomainError):
        post({SOL: 5}, [(SOL, -6, "swap"), (SOL, 9, "swap")])


def test_an_entry_that_does_not_follow_is_refused() -> None:
    """A stored entry whose balance is not the sum is refused by the fold."""
    with pytest.raises(DomainError):
        apply({SOL: 1}, [LedgerEntry(mint=SOL, change=1, balance=3, reason="deposit")])


def test_a_balance_of_zero_is_forgotten() -> None:
    """A mint that was sold out leaves nothing behind, and the balances given are not changed."""
    before = {MINT: 7}
    assert apply(before, post(before, [(MINT, -7, "swap")])) == {}
    assert before == {MINT: 7}
