"""The table of a read model, made from its row: a row's fields are its table's columns, in the same order."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.types import TypeEngine

from daemon.domain.values import AgentId, FillId, InputId, OrderId, PositionId, Price, SignalId
from projections.model import SCHEMA, Row

METADATA: Final = MetaData(schema=SCHEMA)

_UUID: Final = UUID(as_uuid=False)
_IDS: Final = (AgentId, FillId, InputId, OrderId, PositionId, SignalId)

AnyId = Annotated[str, _UUID]
"""An id of more than one kind: a UUID there, lower-case text here, as all ids are."""
Count = Annotated[int, Integer()]
"""A small whole number."""
Long = Annotated[int, BigInteger()]
"""An offset, or milliseconds since the epoch."""
Units = Annotated[int, Numeric()]
"""Base units: up to 2^64 − 1, so no integer type of Postgres holds them."""


def table(name: str, row: type[Row], key: tuple[str, ...], *, fillfactor: int | None = None) -> Table:
    """The table of these rows, with its primary key."""
    hints = get_type_hints(row, include_extras=True)
    given: dict[str, Any] = {} if fillfactor is None else {"postgresql_with": {"fillfactor": fillfactor}}
    return Table(
        name,
        METADATA,
        *(_column(field, hints[field], is_key=field in key) for field in row.__struct_fields__),
        **given,
    )


def _column(name: str, hint: Any, *, is_key: bool) -> Column[Any]:
    optional = get_origin(hint) in {Union, UnionType}
    if optional:
        [hint] = (each for each in get_args(hint) if each is not NoneType)
    kind = _kind(hint)
    info = {"read": Price if hint is Price else int} if isinstance(kind, Numeric) else {}
    return Column(name, kind, nullable=optional, primary_key=is_key, autoincrement=False, info=info)


def _kind(hint: Any) -> TypeEngine[Any]:
    if get_origin(hint) is Annotated:
        kind: TypeEngine[Any] = hint.__metadata__[0]
        return kind
    if hint is Price:
        return Numeric()
    if hint is bool:
        return Boolean()
    # Owners, mints and literals are text.
    return _UUID if hint in _IDS else Text()
