"""What events are made of: their bases, ledger entries, lots and a position's figures.

The names of these structs and of their fields are the stored format. They only grow: a changed meaning is a
new struct with an upcaster in `daemon/records.py` and a golden sample in `tests/golden/events/`.
Times are milliseconds since the epoch, quantities base units, `fee` and `*_lamports` lamports.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from daemon.domain.values import AgentId, FillId, Mint, Price

Side = Literal["buy", "sell"]
Purpose = Literal["entry", "stop_loss", "manual"]
"""Why an order exists. All but `entry` are exits; their names are also the close reasons."""


class Event(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True, tag_field="type", gc=False
):
    """Base of all events.

    Of no concern to the cyclic collector, as all structs of the core: frozen values cannot form a cycle, and
    walking through them would stop the loop for tens of milliseconds.
    """


class AgentEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Base of the events that one agent's state is folded from."""

    agent_id: AgentId


class LedgerEntry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One balance change and the balance after it. Its cause is the event that holds it."""

    mint: Mint
    change: int
    balance: int
    reason: Literal["deposit", "swap", "fee"]


class Lot(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The units of one fill that are still held, with their cost."""

    fill_id: FillId
    quantity: int
    cost_lamports: int
    """What these units cost, fees included."""
    price: Price
    """The executed price, fees excluded."""
    at: int


class PositionFigures(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A position's figures after an event."""

    quantity: int
    cost_lamports: int
    """Cost of the open lots, fees included."""
    entry_price: Price
    """Quantity-weighted executed price of the open lots, fees excluded."""
    bought: int
    invested_lamports: int
    fees: int
    proceeds_lamports: int
    """Received by all sales so far, net of fees."""
    realized_pnl: int
