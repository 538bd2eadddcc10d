"""What a read model is made of: a table, its rows, and what a fold may use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from asyncpg import Record
from sqlalchemy import Table
from sqlalchemy.dialects.postgresql.asyncpg import dialect

from daemon.domain.events import Event
from daemon.domain.ids import simulated_wallet
from daemon.domain.values import AgentId, InputId, Owner

if TYPE_CHECKING:
    from projections.batch import Batch

SCHEMA: Final = "read"
DIALECT: Final = dialect()  # type: ignore[no-untyped-call]
"""How statements are written: Postgres, parameters numbered as asyncpg wants them."""

Key = str | tuple[str | int, ...]
"""The primary key of a row: its value, or a tuple where it has several columns."""


class Row(msgspec.Struct, omit_defaults=True, gc=False):
    """Base of all rows, as folded and as read. A field with a default has the default None: SQL's NULL.

    Folds make rows by position, for a tenth of the time that naming two dozen fields takes: each value then
    stands in the order of the fields, and says by its own name which one it is.
    """


R = TypeVar("R", bound=Row)


class Model(Generic[R]):
    """One read model: its table and the type of its rows.

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
        self.columns = row.__struct_fields__
        self.key = tuple(column.name for column in table.primary_key.columns)
        self._reads: tuple[tuple[int, Callable[[Any], Any]], ...] = tuple(
            (place, column.info["read"]) for place, column in enumerate(table.columns) if column.info
        )

    def __repr__(self) -> str:
        return f"Model({self.name})"

    def read(self, values: Record) -> R:
        """The row of a record that begins with the table's columns; others may follow."""
        fields = list(values.values())[: len(self.columns)]
        for place, read in self._reads:
            if fields[place] is not None:
                fields[place] = read(fields[place])
        return self.row(*fields)


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
