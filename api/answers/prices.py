"""Prices: the marks that an owner's agents are decided on."""

from __future__ import annotations

import msgspec

from api.answers.amounts import price, sol_or_none
from api.times import moment_text
from projections.marks import MarkRow, prices_of


class RefusedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Why no agent trades at what a source reads; gone with that source's next good reading."""

    source: str
    reason: str
    """`jump`, `future`, `decimals` or `age`."""


class PriceAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One token's newest accepted reading; null while none was accepted."""

    token_address: str
    price_sol: str | None
    low: str | None
    high: str | None
    at: str | None
    source: str | None
    liquidity_sol: str | None
    decimals: int | None
    """The token's, once stated or traded."""
    refused: list[RefusedAnswer]
    """The sources that the price guard keeps from trading now."""


def mark(row: MarkRow) -> PriceAnswer:
    """A mark's row as it is shown."""
    return PriceAnswer(
        token_address=row.mint,
        price_sol=price(row.price),
        low=price(row.low),
        high=price(row.high),
        at=None if row.at is None else moment_text(row.at),
        source=row.source,
        liquidity_sol=sol_or_none(row.liquidity),
        decimals=row.decimals,
        refused=[RefusedAnswer(source=source, reason=reason) for source, reason in prices_of(row).said],
    )
