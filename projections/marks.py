"""Marks: the newest accepted price of each mint, and what the guard must remember to go on."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec
from asyncpg import Record
from sqlalchemy import ColumnElement, func, select

from daemon.domain.marks import EMPTY, Mark, MintPrices
from daemon.domain.values import Mint, Price
from daemon.records import encode, from_text
from projections.model import DIALECT, Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, Units, table


class MarkRow(Row):
    """A mint's mark on one tape; all of its price is None while no reading was accepted."""

    tape: Count
    mint: Mint
    price: Price | None = None
    low: Price | None = None
    high: Price | None = None
    at: Long | None = None
    source: str | None = None
    liquidity: Units | None = None
    """Lamports that the pool holds on both sides together."""
    decimals: Count | None = None
    """Those that the mint has for good; None while none were stated."""
    guard: str | None = None
    """JSON of the reading that waits to be confirmed and of the refusals that were said."""


TABLE: Final = table("marks", MarkRow, ("tape", "mint"), fillfactor=70)


class MarkPrice(NamedTuple):
    """The price of a mark and its time."""

    price: Price
    at: int


class _Guard(msgspec.Struct, frozen=True, omit_defaults=True):
    candidate: Mark | None = None
    said: tuple[tuple[str, str], ...] = ()


MARKS: Final = Model(TABLE, MarkRow, is_replaced=True)


_guards: Final = msgspec.json.Decoder(_Guard, dec_hook=from_text)


def row_of(tape: int, mint: Mint, prices: MintPrices, decimals: int | None) -> MarkRow:
    """The row of a mint's prices."""
    row = MarkRow(tape=tape, mint=mint, decimals=decimals)
    mark = prices.mark
    if mark is not None:
        row.price, row.low, row.high, row.at = mark.price, mark.low, mark.high, mark.at
        row.source, row.liquidity = mark.source, mark.liquidity
    if prices.candidate is not None or prices.said:
        row.guard = encode(_Guard(prices.candidate, prices.said)).decode()
    return row


def prices_of(row: MarkRow) -> MintPrices:
    """The prices that a row was made of."""
    guard = _Guard() if row.guard is None else _guards.decode(row.guard)
    if row.price is None or row.low is None or row.high is None or row.at is None or row.source is None:
        return msgspec.structs.replace(EMPTY, candidate=guard.candidate, said=guard.said)
    mark = Mark(
        price=row.price, low=row.low, high=row.high, at=row.at, source=row.source, liquidity=row.liquidity
    )
    return MintPrices(mark=mark, candidate=guard.candidate, said=guard.said)


MARK_COLUMNS: Final[tuple[ColumnElement[Any], ...]] = (
    TABLE.c.price.label("mark_price"),
    TABLE.c.at.label("mark_at"),
)
"""What other read models add to their rows for `mark_of`."""


def mark_of(values: Record) -> MarkPrice | None:
    """The mark beside a row of another read model."""
    price = values["mark_price"]
    return None if price is None else MarkPrice(Price(price), values["mark_at"])


_MARKS: Final = Query(
    select(*columns(TABLE)),
    MARKS.read,
    filters=equals(TABLE, "tape", "mint"),
    order=(TABLE.c.tape, TABLE.c.mint),
)


async def get_mark(reader: Reader, tape: int, mint: str) -> MarkRow | None:
    """A mint's mark on a tape."""
    return await _MARKS.one(reader, tape=tape, mint=mint)


async def list_marks(reader: Reader, tape: int, *, limit: int, offset: int = 0) -> list[MarkRow]:
    """All marks of a tape, by mint."""
    return await _MARKS.all(reader, limit=limit, offset=offset, tape=tape)


_NEWEST: Final = (
    select(TABLE.c.source, func.max(TABLE.c.at).label("at"))
    .where(TABLE.c.source.is_not(None))
    .group_by(TABLE.c.source)
    .compile(dialect=DIALECT)
    .string
)


async def newest_by_source(reader: Reader) -> dict[str, int]:
    """When the newest mark of each source was observed, ms."""
    return {row["source"]: row["at"] for row in await reader.fetch(_NEWEST)}
