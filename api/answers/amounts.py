"""Numbers as the API shows them."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Final

from daemon.domain.values import BPS, SOL_DECIMALS, Price, from_units, plain

_EXACT: Final = Context(prec=90)
_RATIO: Final = Context(prec=12, rounding=ROUND_HALF_EVEN)


def sol(lamports: int) -> str:
    """Lamports as SOL."""
    return plain(from_units(lamports, SOL_DECIMALS))


def sol_or_none(lamports: int | None) -> str | None:
    """Lamports as SOL, if there are any to show."""
    return None if lamports is None else sol(lamports)


def tokens(units: int, decimals: int) -> str:
    """Base units as whole tokens."""
    return plain(from_units(units, decimals))


def price(value: Price | None) -> str | None:
    """A price in plain notation."""
    return None if value is None else plain(value)


def worth_lamports(units: int, decimals: int, at: Price) -> int:
    """What a quantity is worth at a price, rounded down to lamports: only ever shown."""
    return int(_EXACT.multiply(from_units(units, decimals), at).scaleb(SOL_DECIMALS, _EXACT))


def percent(part: int | Decimal, whole: int | Decimal) -> str | None:
    """`part` in percent of `whole`, 12 significant digits."""
    if not whole:
        return None
    return plain(_RATIO.multiply(_RATIO.divide(Decimal(part), Decimal(whole)), Decimal(100)))


def fraction_of_bps(bps: int | str | None) -> str | None:
    """Basis points as a fraction."""
    return None if bps is None else plain(Decimal(bps) / BPS)
