"""What has happened. One entry of the journal holds all events that one input decided.

The names of these structs and of their fields are the stored format. They only grow: a changed meaning is a
new struct with an upcaster in `daemon/records.py` and a golden sample in `tests/golden/events/`.
Times are milliseconds since the epoch, quantities base units, `fee` and `*_lamports` lamports.
"""

from __future__ import annotations

from typing import Any, Literal

from daemon.domain.commands import Mode
from daemon.domain.event_parts import AgentEvent, Event, LedgerEntry, Lot, PositionFigures, Purpose, Side
from daemon.domain.trading_events import (
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.values import AgentId, InputId, Mint, Owner, PositionId, Price, SignalId

__all__ = [
    "AgentConfigured",
    "AgentCreated",
    "AgentDeleted",
    "AgentEvent",
    "AgentQuarantined",
    "AgentReleased",
    "AgentUpdated",
    "AnyAgentEvent",
    "AnyEvent",
    "ClockSteppedBack",
    "CommandDenied",
    "Event",
    "ExitsQuarantined",
    "FundsDeposited",
    "InputDropped",
    "InputRepeated",
    "LedgerEntry",
    "Lot",
    "MintRegistered",
    "OrderApproved",
    "OrderCanceled",
    "OrderExpired",
    "OrderFilled",
    "OrderRejected",
    "PositionClosed",
    "PositionFigures",
    "PositionIncreased",
    "PositionOpened",
    "PositionReduced",
    "PriceRefused",
    "Purpose",
    "Side",
    "SignalDenied",
    "SignalReceived",
    "TapeEvent",
]

# --- the tape itself -------------------------------------------------------------------------------------


class InputRepeated(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An input that stands on the tape already; it has no further effect."""

    input_id: InputId
    first_offset: int
    same_body: bool


class InputDropped(Event, frozen=True, kw_only=True, omit_defaults=True):
    """An input that an operator let the halted trader skip."""

    by: Owner
    key: str
    reason: str


class ClockSteppedBack(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The log's clock had run ahead and was set back by more than 5 s; `now` follows it down."""

    from_at: int
    to_at: int


class CommandDenied(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A command that is not possible in this state. `code` is the API's error code."""

    code: str
    rule: str
    limit: str | None = None
    value: str | None = None


class MintRegistered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The decimals of a mint are fixed from here on."""

    mint: Mint
    decimals: int
    source: str
    readings: int = 0
    """Where a fill fixed them: how many readings of its input were observed before."""


class PriceRefused(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A reading that may not trade; said once per mint, source and reason until one is accepted.

    `age`: it is the mark, and older than agents trade at by default.
    """

    mint: Mint
    source: str
    reason: Literal["jump", "future", "decimals", "age"]
    price: Price
    limit: str
    value: str


# --- agents ----------------------------------------------------------------------------------------------


class AgentCreated(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A new agent with the default config."""

    owner: Owner
    name: str
    mode: Mode


class AgentUpdated(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's name and pause flag from here on."""

    name: str
    paused: bool


class AgentConfigured(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The agent's config from the next input on: fully resolved, and which keys were given."""

    version: int
    config: dict[str, Any]
    given: dict[str, Any]


class AgentDeleted(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The agent is gone; its waiting orders were canceled in the same entry."""


class AgentQuarantined(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Deciding for this agent failed. Its entries stop until it is released; its exits go on."""

    input_id: InputId
    error: str


class ExitsQuarantined(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Computing this position's exit failed; it is not tried again until the agent is released."""

    position_id: PositionId
    mint: Mint
    input_id: InputId
    error: str


class AgentReleased(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An operator took the agent and its positions' exits out of quarantine."""


class FundsDeposited(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A simulated agent was given SOL. The deposit's id is the input's."""

    deposit_id: InputId
    ledger: tuple[LedgerEntry, ...]


# --- signals and orders ----------------------------------------------------------------------------------


class SignalReceived(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A signal as it was posted, with the time at which it expires."""

    signal_id: SignalId
    owner: Owner
    mint: Mint
    signal_type: str
    strength: int
    expires_at: int
    symbol: str | None = None
    source: str | None = None
    reason: str | None = None
    price: Price | None = None
    agent_ids: tuple[AgentId, ...] | None = None


class SignalDenied(AgentEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A rule said no: which, its limit, and the value that broke it."""

    signal_id: SignalId
    rule: str
    limit: str
    value: str
    config_version: int
    price: Price | None = None
    price_at: int | None = None
    """The time of the mark that was looked at, if there was one."""


TapeEvent = (
    InputRepeated
    | InputDropped
    | ClockSteppedBack
    | CommandDenied
    | MintRegistered
    | PriceRefused
    | SignalReceived
)
AnyAgentEvent = (
    AgentCreated
    | AgentUpdated
    | AgentConfigured
    | AgentDeleted
    | AgentQuarantined
    | ExitsQuarantined
    | AgentReleased
    | FundsDeposited
    | SignalDenied
    | OrderApproved
    | OrderFilled
    | OrderRejected
    | OrderExpired
    | OrderCanceled
    | PositionOpened
    | PositionIncreased
    | PositionReduced
    | PositionClosed
)
AnyEvent = TapeEvent | AnyAgentEvent
