"""Queries: written with SQLAlchemy Core, compiled once, run by asyncpg as prepared statements.

Every query names the owner, and every list takes the same few things: filters that may be left out, `limit`
and `offset`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from asyncpg import Record
from asyncpg.connection import Connection
from asyncpg.pool import Pool
from sqlalchemy import BigInteger, ColumnElement, Select, Table, Text, bindparam, cast
from sqlalchemy.dialects.postgresql import UUID

from projections.model import DIALECT

T = TypeVar("T")

Reader = Connection | Pool
"""What queries run on."""


class Query(Generic[T]):
    """A statement with filters that may be left out.

    `read` makes the result of a record. `order` and the paging are left out where a query finds one row.
    """

    def __init__(
        self,
        statement: Select[Any],
        read: Callable[[Record], T],
        *,
        filters: Mapping[str, ColumnElement[bool]],
        order: Sequence[ColumnElement[Any]] = (),
    ) -> None:
        self._statement = statement
        self._read = read
        self._filters = filters
        self._order = order
        self._compiled: dict[tuple[str, ...], tuple[str, tuple[str, ...]]] = {}

    async def all(
        self, reader: Reader, *, limit: int | None = None, offset: int = 0, **filters: Any
    ) -> list[T]:
        """The rows that pass all filters that are not None."""
        given = {name: value for name, value in filters.items() if value is not None}
        text, names = self._text(tuple(given), paged=limit is not None)
        given["limit"], given["offset"] = limit, offset
        return [self._read(row) for row in await reader.fetch(text, *(given[name] for name in names))]

    async def one(self, reader: Reader, **filters: Any) -> T | None:
        """The row that passes all filters; here none may be None."""
        text, names = self._text(tuple(filters), paged=False)
        rows = await reader.fetch(text, *(filters[name] for name in names))
        return self._read(rows[0]) if rows else None

    def _text(self, given: tuple[str, ...], *, paged: bool) -> tuple[str, tuple[str, ...]]:
        key = (*given, "limit") if paged else given
        known = self._compiled.get(key)
        if known is None:
            statement = self._statement.where(*(self._filters[name] for name in given))
            if self._order:
                statement = statement.order_by(*self._order)
            if paged:
                statement = statement.limit(bindparam("limit", type_=BigInteger)).offset(
                    bindparam("offset", type_=BigInteger)
                )
            compiled = statement.compile(dialect=DIALECT)
            known = (compiled.string, tuple(compiled.positiontup or ()))
            self._compiled[key] = known
        return known


def columns(table: Table) -> list[ColumnElement[Any]]:
    """All columns of a table, ids as text."""
    return [
        cast(column, Text).label(column.name) if isinstance(column.type, UUID) else column
        for column in table.columns
    ]


def equals(table: Table, *names: str) -> dict[str, ColumnElement[bool]]:
    """Filters of the same names as their columns."""
    return {name: table.c[name] == bindparam(name, type_=table.c[name].type) for name in names}


def span(column: ColumnElement[Any], first: str, last: str) -> dict[str, ColumnElement[bool]]:
    """Filters for a range of times, both ends included."""
    return {
        first: column >= bindparam(first, type_=BigInteger),
        last: column <= bindparam(last, type_=BigInteger),
    }
