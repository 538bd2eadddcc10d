"""How far the topics outside were taken in: intake starts behind that, wherever it was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from sqlalchemy import func, select

from projections.model import Model, Row
from projections.query import Query, Reader, equals
from projections.tables import Count, Long, table


class OriginRow(Row):
    """One partition of a topic, as the inputs on one tape tell of it."""

    tape: Count
    topic: str
    partition: Count
    passed: Long
    """Up to here all of the partition stands on the tapes, or was refused."""


TABLE: Final = table("origins", OriginRow, ("tape", "topic", "partition"), fillfactor=70)

ORIGINS: Final = Model(TABLE, OriginRow, is_replaced=True)

_PASSED: Final = Query(
    select(TABLE.c.partition, func.max(TABLE.c.passed)).group_by(TABLE.c.partition),
    lambda record: (int(record[0]), int(record[1])),
    filters=equals(TABLE, "topic"),
)


async def list_passed(reader: Reader, topic: str) -> Mapping[int, int]:
    """Up to which offset each partition of a topic was taken in; none: nothing of it."""
    return dict(await _PASSED.all(reader, topic=topic))
