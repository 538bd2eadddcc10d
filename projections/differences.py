"""Compares two schemas of read models row by row, column by column, in the database."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from projections.model import Model
from projections.schema import MODELS

# It counts projectors, not what they folded.
_NOT_FOLDED: Final = frozenset({"generation"})


class Difference(NamedTuple):
    """One column of one row that differs; column None: the whole row is missing on one side."""

    table: str
    key: str
    column: str | None
    stored: str | None
    fresh: str | None

    def __str__(self) -> str:
        if self.column is None:
            where = (
                "is stored, but not in a fresh fold" if self.stored else "is in a fresh fold, but not stored"
            )
            return f"{self.table} {self.key} {where}"
        return f"{self.table} {self.key}: {self.column} is {self.stored}, in a fresh fold {self.fresh}"


async def compare(connection: Any, stored: str, fresh: str, limit: int) -> list[Difference]:
    """Up to `limit` differences between the tables of two schemas, both ways."""
    found: list[Difference] = []
    for model in MODELS:
        if len(found) >= limit:
            break
        rows = await connection.fetch(_statement(model, stored, fresh), limit - len(found))
        for row in rows:
            found.extend(_differences(model, row["stored"], row["fresh"]))
    return found[:limit]


def _statement(model: Model[Any], stored: str, fresh: str) -> str:
    keys = ", ".join(model.key)
    compared = [name for name in model.columns if name not in _NOT_FOLDED]
    one, other = (", ".join(f'{side}."{name}"' for name in compared) for side in ("a", "b"))
    # A key column is never NULL, so NULL there means that the other side has no such row.
    key = model.key[0]
    return (
        f"SELECT CASE WHEN a.{key} IS NULL THEN NULL ELSE to_jsonb(a)::text END AS stored,"
        f" CASE WHEN b.{key} IS NULL THEN NULL ELSE to_jsonb(b)::text END AS fresh"
        f" FROM {stored}.{model.name} a FULL JOIN {fresh}.{model.name} b USING ({keys})"
        f" WHERE a.{key} IS NULL OR b.{key} IS NULL OR ({one}) IS DISTINCT FROM ({other})"
        f" ORDER BY {keys} LIMIT $1"
    )


def _differences(model: Model[Any], stored: str | None, fresh: str | None) -> list[Difference]:
    one = _columns(stored)
    other = _columns(fresh)
    key = " ".join(_text((one or other)[name]) for name in model.key)
    if stored is None or fresh is None:
        return [Difference(model.name, key, None, stored, fresh)]
    return [
        Difference(model.name, key, name, _text(one[name]), _text(other[name]))
        for name in model.columns
        if name not in _NOT_FOLDED and one[name] != other[name]
    ]


def _columns(row: str | None) -> dict[str, Any]:
    # Raw keeps numbers as they stand there: a float would make two differing ones look the same.
    return {} if row is None else msgspec.json.decode(row, type=dict[str, msgspec.Raw])


def _text(value: Any) -> str:
    return bytes(value).decode().strip('"')
