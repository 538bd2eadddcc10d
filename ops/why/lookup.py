"""Where the chain of an id lies: the read models only find the places, the journal tells what happened."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Literal, NamedTuple

from sqlalchemy import ColumnElement, Table, any_, bindparam, select
from sqlalchemy.dialects.postgresql import ARRAY, UUID

from projections import agents, fills, orders, positions, signals
from projections.agents import AgentRow
from projections.orders import OrderRow
from projections.positions import PositionRow
from projections.query import Query, Reader, columns, equals
from projections.signals import SignalRow

Kind = Literal["signal", "order", "fill", "position"]


def among(table: Table, column: str, name: str) -> dict[str, ColumnElement[bool]]:
    """A filter for rows whose id in `column` is one of a list."""
    return {name: table.c[column] == any_(bindparam(name, type_=ARRAY(UUID(as_uuid=False))))}


# The operator asks, so none of these names an owner.
_SIGNALS: Final = Query(
    select(*columns(signals.TABLE)),
    signals.SIGNALS.read,
    filters=among(signals.TABLE, "id", "ids"),
    order=(signals.TABLE.c.tape_offset,),
)
_ORDERS: Final = Query(
    select(*columns(orders.TABLE)),
    orders.ORDERS.read,
    filters={
        **equals(orders.TABLE, "id", "signal_id"),
        **among(orders.TABLE, "position_id", "position_ids"),
        **among(orders.TABLE, "agent_id", "agent_ids"),
    },
    order=(orders.TABLE.c.tape_offset, orders.TABLE.c.id),
)
_FILL: Final = Query(
    select(*columns(fills.TABLE)), fills.FILLS.read, filters=equals(fills.TABLE, "id", "kind")
)
_POSITIONS: Final = Query(
    select(*columns(positions.TABLE)),
    positions.POSITIONS.read,
    filters=among(positions.TABLE, "id", "ids"),
    order=(positions.TABLE.c.tape_offset, positions.TABLE.c.id),
)
_AGENTS: Final = Query(
    select(*columns(agents.TABLE)), agents.AGENTS.read, filters=among(agents.TABLE, "id", "ids")
)


class Found(NamedTuple):
    """The rows of one chain. `agent_ids` None: of all agents that a signal reached."""

    kind: Kind
    id: str
    tape: int
    agent_ids: Collection[str] | None
    signals: Sequence[SignalRow]
    orders: Sequence[OrderRow]
    """That are told."""
    positions: Sequence[PositionRow]
    touching: Sequence[OrderRow]
    """All that made or unmade the positions, those that are told too."""

    def offsets(self) -> list[int]:
        """The inputs of the tape on which something of it happened, in their order."""
        places = {signal.tape_offset for signal in self.signals}
        for order in self.orders:
            places.add(order.tape_offset)
            if order.ended_offset is not None:
                places.add(order.ended_offset)
        for order in self.touching:
            if order.ended_offset is not None:
                places.add(order.ended_offset)
        for position in self.positions:
            places.update((position.tape_offset, position.updated_offset))
        return sorted(places)


async def find_signal(reader: Reader, id_: str) -> SignalRow | None:
    """A signal, whoever owns it."""
    for signal in await _SIGNALS.all(reader, ids=[id_]):
        return signal
    return None


async def find_reached(reader: Reader, signal: SignalRow, agent_ids: Collection[str] | None) -> Found:
    """The chain of a signal, for all agents that it reached or only for these.

    Of its positions all changes are told, but of the orders behind them only those of this signal: another
    one may have bought more of the same. An exit counts to the signal that opened the position.
    """
    only = None if agent_ids is None else sorted(agent_ids)
    caused = await _ORDERS.all(reader, signal_id=signal.id, agent_ids=only)
    touching, held = await _positions(reader, caused)
    return Found("signal", signal.id, signal.tape, agent_ids, [signal], caused, held, touching)


async def find(reader: Reader, id_: str) -> Found | None:
    """The chain of an order, a fill or a position, whoever owns it."""
    order = await _ORDERS.one(reader, id=id_)
    if order is not None:
        return await _of_orders(reader, "order", id_, [order])
    fill = await _FILL.one(reader, id=id_, kind="SWAP")
    if fill is not None:
        return await _of_orders(reader, "fill", id_, await _ORDERS.all(reader, id=fill.order_id))
    bought = await _ORDERS.all(reader, position_ids=[id_])
    return await _of_orders(reader, "position", id_, bought) if bought else None


async def _of_orders(reader: Reader, kind: Kind, id_: str, given: Sequence[OrderRow]) -> Found:
    """The chain of one agent's orders: what they made and unmade, and the signals behind all of it."""
    touching, held = await _positions(reader, given)
    chain = _merged(given, touching)
    behind = sorted({order.signal_id for order in chain if order.signal_id is not None})
    found = await _SIGNALS.all(reader, ids=behind) if behind else []
    return Found(kind, id_, given[0].tape, {given[0].agent_id}, found, chain, held, touching)


async def _positions(
    reader: Reader, given: Sequence[OrderRow]
) -> tuple[Sequence[OrderRow], Sequence[PositionRow]]:
    """The positions that these orders touched, and every order that touched those."""
    ids = sorted({order.position_id for order in given if order.position_id is not None})
    if not ids:
        return (), ()
    return await _ORDERS.all(reader, position_ids=ids), await _POSITIONS.all(reader, ids=ids)


def _merged(one: Sequence[OrderRow], other: Sequence[OrderRow]) -> list[OrderRow]:
    by_id = {order.id: order for order in (*one, *other)}
    return sorted(by_id.values(), key=lambda order: (order.tape_offset, order.id))


async def name_agents(reader: Reader, ids: Sequence[str]) -> dict[str, AgentRow]:
    """Agents by id, deleted ones too."""
    return {row.id: row for row in await _AGENTS.all(reader, ids=list(ids))} if ids else {}
