"""The ledger: every balance change is an entry with its cause; a balance is the sum of its entries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from daemon.domain.errors import DomainError
from daemon.domain.events import LedgerEntry
from daemon.domain.values import QUANTITY_MAX, Mint

Reason = Literal["deposit", "swap", "fee"]
Change = tuple[Mint, int, Reason]


def post(balances: Mapping[Mint, int], changes: Iterable[Change]) -> tuple[LedgerEntry, ...]:
    """The ledger entries of some changes, in order, each with the balance after it; zeros are left out.

    Raises `DomainError` where a balance would leave 0 … 2^64−1.
    """
    after: dict[Mint, int] = {}
    entries: list[LedgerEntry] = []
    for mint, change, reason in changes:
        if not change:
            continue
        balance = after.get(mint, balances.get(mint, 0)) + change
        if not 0 <= balance <= QUANTITY_MAX:
            raise DomainError(f"{reason} of {change} would make the balance of {mint} {balance}")
        after[mint] = balance
        entries.append(LedgerEntry(mint=mint, change=change, balance=balance, reason=reason))
    return tuple(entries)


def apply(balances: dict[Mint, int], entries: Iterable[LedgerEntry]) -> dict[Mint, int]:
    """The balances after some entries; raises `DomainError` where an entry does not follow from the sum."""
    after = dict(balances)
    for entry in entries:
        balance = after.get(entry.mint, 0) + entry.change
        if balance != entry.balance:
            raise DomainError(f"ledger of {entry.mint}: sum is {balance}, the entry says {entry.balance}")
        if balance:
            after[entry.mint] = balance
        else:
            after.pop(entry.mint, None)  # a mint that was sold out must not stay for ever
    return after
