"""Which of some ids are orders': a denial names what it found open, a position or an order that waits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from asyncpg import Record
from sqlalchemy import ARRAY, Text, any_, bindparam, cast, select
from sqlalchemy.dialects.postgresql import UUID

from projections.orders import TABLE
from projections.query import Query, Reader, equals


def _id(values: Record) -> str:
    return str(values["id"])


_ORDER_IDS: Final = Query(
    select(cast(TABLE.c.id, Text).label("id")),
    _id,
    filters={
        **equals(TABLE, "owner"),
        "ids": TABLE.c.id == any_(bindparam("ids", type_=ARRAY(UUID(as_uuid=False)))),
    },
)


async def known_orders(reader: Reader, owner: str, ids: Sequence[str]) -> frozenset[str]:
    """Those of these ids that are an owner's orders'; all must be UUIDs."""
    return frozenset(await _ORDER_IDS.all(reader, owner=owner, ids=list(ids)))
