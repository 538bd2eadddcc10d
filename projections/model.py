"""What a read model is made of: a table, its rows, and what a fold may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from asyncpg import Record
from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Numeric, Table, Text
from sqlalchemy.dialects.postgresql import UUID
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from daemon.domain.events import Event
from daemon.domain.ids import simulated_wallet
from daemon.domain.values import AgentId, InputId, Owner, Price

if TYPE_CHECKING:
    from projections.batch import Batch

SCHEMA: Final = "read"
METADATA: Final = MetaData(schema=SCHEMA)
DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
"""How statements are written: Postgres, parameters numbered as asyncpg wants them."""

Key = str | tuple[str | int, ...]
"""The primary key of a row: its value, or a tuple where it has several columns."""


class Row(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Base of all rows, as folded and as read. A field with a default has the default None: SQL's NULL."""


R = TypeVar("R", bound=Row)
AnyColumn = Column[Any]


def id_column(name: str, *, optional: bool = False, key: bool = False) -> AnyColumn:
    """An id: a UUID there, lower-case text here."""
    return Column(name, UUID(as_uuid=False), nullable=optional, primary_key=key)


def text_column(name: str, *, optional: bool = False, key: bool = False) -> AnyColumn:
    """A text."""
    return Column(name, Text, nullable=optional, primary_key=key)


def flag_column(name: str, *, optional: bool = False) -> AnyColumn:
    """A yes or no."""
    return Column(name, Boolean, nullable=optional)


def count_column(name: str, *, optional: bool = False, key: bool = False) -> AnyColumn:
    """A small whole number."""
    return Column(name, Integer, nullable=optional, primary_key=key, autoincrement=False)


def long_column(name: str, *, optional: bool = False, key: bool = False) -> AnyColumn:
    """An offset, or milliseconds since the epoch."""
    return Column(name, BigInteger, nullable=optional, primary_key=key, autoincrement=False)


def units_column(name: str, *, optional: bool = False) -> AnyColumn:
    """Base units: up to 2^64 − 1, so no integer type of Postgres holds them."""
    return Column(name, Numeric, nullable=optional, info={"read": int})


def price_column(name: str, *, optional: bool = False) -> AnyColumn:
    """A price, exactly as it was decided on."""
    return Column(name, Numeric, nullable=optional, info={"read": Price})


class Model(Generic[R]):
    """One read model: its table and the type of its rows, whose fields are the table's columns.

    Rows are put whole once and patched afterwards; `is_replaced` says that they may be put again,
    `insert_only` that the first stays.
    """

    def __init__(
        self, table: Table, row: type[R], *, is_replaced: bool = False, insert_only: bool = False
    ) -> None:
        self.table = table
        self.row = row
        self.is_replaced = is_replaced
        self.insert_only = insert_only
        self.name = table.name
        self.columns = tuple(column.name for column in table.columns)
        self.fields = row.__struct_fields__
        self.key = tuple(column.name for column in table.primary_key.columns)
        self._reads: tuple[tuple[str, Callable[[Any], Any]], ...] = tuple(
            (column.name, column.info["read"]) for column in table.columns if "read" in column.info
        )

    def __repr__(self) -> str:
        return f"Model({self.name})"

    def read(self, values: Record) -> R:
        """The row of a record that holds all of the table's columns, and maybe others."""
        fields = {name: values[name] for name in self.columns}
        for name, read in self._reads:
            if fields[name] is not None:
                fields[name] = read(fields[name])
        return self.row(**fields)


class Holder(NamedTuple):
    """What rows repeat of their agent."""

    owner: Owner
    wallet_address: str | None


class Cause:
    """The entry whose events are being folded, and what is known of the agents."""

    __slots__ = ("agents", "at", "input_id", "stuck", "tape", "tape_offset")

    def __init__(
        self, tape: int, agents: dict[AgentId, Holder], stuck: dict[AgentId, dict[str, None]]
    ) -> None:
        self.tape = tape
        self.agents = agents
        self.stuck = stuck
        """Positions whose exits are quarantined, by agent."""
        self.tape_offset = -1
        self.at = 0
        self.input_id: InputId | None = None


def holder(owner: Owner, mode: str, agent_id: AgentId) -> Holder:
    """What rows will repeat of a new agent."""
    return Holder(owner, simulated_wallet(agent_id) if mode == "simulation" else None)


Folds = Mapping[type[Event], "Callable[[Any, Cause, Batch], None]"]
"""Which events a read model is folded from, and how."""
