"""What is published of an entry: keys and values that follow from the journal alone, so a copy is the same.

A value is JSON: the id that is also the key, where it was decided (`tape`, `tape_offset`), when (`at`, ms),
and the event as the journal holds it. The forms of events only grow, and so do these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from daemon.domain import ids
from daemon.domain.events import (
    AnyEvent,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    SignalDenied,
)
from daemon.domain.values import AgentId, Mint, SignalId
from daemon.records import Entry, encode
from streams.edges.names import Told

_Position = PositionOpened | PositionIncreased | PositionReduced | PositionClosed
_Order = OrderApproved | OrderFilled | OrderRejected | OrderExpired | OrderCanceled


class Publication(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A record of `orders`, `fills` or `decisions`."""

    id: str
    tape: int
    tape_offset: int
    at: int
    event: AnyEvent


class PositionPublication(msgspec.Struct, frozen=True, kw_only=True):
    """A record of `positions`: the last one of an id says all of it."""

    id: str
    tape: int
    tape_offset: int
    at: int
    status: Literal["open", "closed"]
    mint: Mint
    symbol: str | None
    decimals: int
    event: AnyEvent


class Outgoing(NamedTuple):
    """A record to publish."""

    told: Told
    key: str
    value: bytes


def outgoing(tape: int, entry: Entry) -> Iterator[Outgoing]:
    """All that is published of an entry, in the order of its events."""
    filled: OrderFilled | None = None

    def told(what: Told, id_: str, event: AnyEvent) -> Outgoing:
        value = Publication(id=id_, tape=tape, tape_offset=entry.tape_offset, at=entry.at, event=event)
        return Outgoing(what, id_, encode(value))

    for event in entry.events:
        if isinstance(event, SignalDenied):
            yield told("decisions", decision_id(event.signal_id, event.agent_id), event)
        elif isinstance(event, _Order):
            if isinstance(event, OrderApproved) and _decides(event) and event.signal_id is not None:
                yield told("decisions", decision_id(event.signal_id, event.agent_id), event)
            yield told("orders", event.order_id, event)
            if isinstance(event, OrderFilled):
                filled = event
                yield told("fills", event.fill_id, event)
        elif isinstance(event, _Position):
            yield _position(tape, entry, event, filled)


def decision_id(signal: SignalId, agent: AgentId) -> str:
    """The id of one agent's decision on one signal."""
    return ids.derive("decision", signal, agent)


def _decides(event: OrderApproved) -> bool:
    # A later order of the same signal, such as an exit, is no decision on the signal.
    return event.purpose == "entry" and event.n == 0


def _position(tape: int, entry: Entry, event: _Position, filled: OrderFilled | None) -> Outgoing:
    # A position moves only by a fill, which its entry tells first: that has what its own event lacks.
    if filled is None or filled.position_id != event.position_id:
        raise ValueError(f"tape offset {entry.tape_offset}: a position moved without a fill")
    value = PositionPublication(
        id=event.position_id,
        tape=tape,
        tape_offset=entry.tape_offset,
        at=entry.at,
        status="closed" if isinstance(event, PositionClosed) else "open",
        mint=event.mint,
        symbol=filled.symbol,
        decimals=filled.decimals,
        event=event,
    )
    return Outgoing("positions", event.position_id, encode(value))
