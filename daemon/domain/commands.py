"""What may be asked or reported: the inputs of the tape.

The names of these structs and of their fields are the stored format. They only grow: a changed meaning is a
new struct with an upcaster in `daemon/records.py` and a golden sample.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from daemon.domain.values import AgentId, InputId, Mint, Owner, PositionId, Price

Mode = Literal["simulation", "live"]


class Command(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag=True, tag_field="type", gc=False
):
    """Base of all commands."""


class Actor(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Who asked: the owner and the id of the API key, or the stage for inputs of our own."""

    owner: Owner
    key: str


class Reading(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One observed price of a mint. `low` and `high` are those since the source's last reading."""

    mint: Mint
    price: Price
    source: str
    low: Price | None = None
    high: Price | None = None
    observed_at: int | None = None
    """Milliseconds since the epoch by the source's clock; None: when it was appended."""
    liquidity: int | None = None
    """Lamports that the pool holds on both sides together; half of it is SOL."""
    decimals: int | None = None


class HandleSignal(Command, frozen=True, kw_only=True, omit_defaults=True):
    """A trading signal for all agents of its owner, or for those named. Its id is the input's."""

    mint: Mint
    signal_type: str
    strength: int
    symbol: str | None = None
    source: str | None = None
    reason: str | None = None
    price: Price | None = None
    expires_at: int | None = None
    agent_ids: tuple[AgentId, ...] | None = None


class ObservePrices(Command, frozen=True, kw_only=True, omit_defaults=True):
    """New readings, in the order in which they were observed."""

    readings: tuple[Reading, ...]


class CreateAgent(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Create an agent whose id is the input's. `config` holds the keys that were given."""

    name: str
    mode: Mode
    config: dict[str, Any] | None = None


class UpdateAgent(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Change an agent's name or pause flag; None leaves a field as it is."""

    agent_id: AgentId
    name: str | None = None
    paused: bool | None = None


class ConfigureAgent(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Replace an agent's config by the given keys over the defaults."""

    agent_id: AgentId
    config: dict[str, Any]


class DeleteAgent(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Delete an agent that has no open position."""

    agent_id: AgentId


class ReleaseAgent(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Take an agent, and the exits of its positions, out of quarantine."""

    agent_id: AgentId


class Deposit(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Give a simulated agent SOL."""

    agent_id: AgentId
    lamports: int


class ClosePosition(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Sell all of an open position at the next fresh price."""

    position_id: PositionId


class TimePassed(Command, frozen=True, kw_only=True, omit_defaults=True):
    """The trader's own reminder that a deadline may have passed."""


class DropInput(Command, frozen=True, kw_only=True, omit_defaults=True):
    """Skip the input at `offset`, on which the trader has halted."""

    offset: int
    reason: str


AnyCommand = (
    HandleSignal
    | ObservePrices
    | CreateAgent
    | UpdateAgent
    | ConfigureAgent
    | DeleteAgent
    | ReleaseAgent
    | Deposit
    | ClosePosition
    | TimePassed
    | DropInput
)


class Origin(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Where outside the log an input was taken from."""

    topic: str
    partition: int
    offset: int
    passed: int
    """Up to here all of that partition stood on the tapes, or was refused, before this was appended."""


class Input(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One input as it stands on the tape; its offset and time are stamped by the log."""

    id: InputId
    actor: Actor
    command: AnyCommand
    route: str = ""
    """Method and path of the request, empty for inputs of our own."""
    hash: str = ""
    """SHA-256 (hex) of the canonical validated body; empty for inputs of our own."""
    keyed: bool = False
    """Whether the id follows from an idempotency key."""
    origin: Origin | None = None
