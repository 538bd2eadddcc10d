"""The body of a trading signal, in both spellings."""

from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import Field, field_validator, model_validator

from api.bodies.base import Body, field_error
from api.bodies.types import AgentIdText, Moment, PriceText, Text50, Text100, Text1000, TradedMint
from daemon.domain.values import AgentId

SIGNAL_AHEAD_MS_MAX: Final = 24 * 3_600_000
"""How far ahead a signal may expire."""
ACTION: Final = "buy"
_SALES: Final = frozenset({"sell", "close"})
"""Types that ask for a sale: taken as the name of a type, they would buy."""
Strength = Annotated[int, Field(ge=1, le=5)]


class SignalBody(Body):
    """`{"tokenAddress", "action": "buy", "score"}` or `{"tokenAddress", "signalType", "signalStrength"}`."""

    token_address: TradedMint = Field(description="Mint of the token to buy.")
    action: Text50 | None = Field(None, description='What to do: "buy".')
    signal_type: Text50 | None = Field(
        None, description="A name for agents to filter by; by default the action."
    )
    score: Strength | None = Field(None, description="Strength, 1 to 5.")
    signal_strength: Strength | None = Field(None, description="The same as score.")
    symbol: Text50 | None = Field(None, description="The token's symbol, to be shown.")
    source: Text100 | None = Field(None, description="Where the signal comes from.")
    reason: Text1000 | None = Field(None, description="Why it was given.")
    activation_reason: Text1000 | None = Field(None, description="The same as reason.")
    expires_at: Moment | None = Field(
        None, description="From when on it may not be acted on; at most 24 h ahead, by default 5 min."
    )
    price: PriceText | None = Field(
        None, description="Price that the source saw, in SOL. Recorded, fills nothing."
    )
    agent_ids: Annotated[list[AgentIdText], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="The agents it is for; by default all of the owner's."
    )

    @field_validator("action", "signal_type")
    @classmethod
    def _no_sale(cls, value: str | None) -> str | None:
        if value is not None and value.strip().casefold() in _SALES:
            raise ValueError("asks for a sale: close a position at POST /agent-positions/:id/close")
        return value

    @field_validator("action")
    @classmethod
    def _buys(cls, value: str | None) -> str | None:
        if value is not None and value.casefold() != ACTION:
            raise ValueError('must be "buy"')
        return value

    @field_validator("agent_ids")
    @classmethod
    def _each_once(cls, value: list[AgentId] | None) -> list[AgentId] | None:
        if value is not None and len(set(value)) != len(value):
            raise ValueError("must not name an agent twice")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.action is None and self.signal_type is None:
            raise field_error("action", "is required (or signalType)")
        if self.score is None and self.signal_strength is None:
            raise field_error("score", "is required (or signalStrength)")
        _same("score", self.score, "signalStrength", self.signal_strength)
        _same("reason", self.reason, "activationReason", self.activation_reason)
        return self

    @property
    def kind(self) -> str:
        """The signal's type."""
        return self.signal_type if self.signal_type is not None else ACTION

    @property
    def strength(self) -> int:
        """The signal's strength."""
        strength = self.score if self.score is not None else self.signal_strength
        if strength is None:
            raise AssertionError("validation let a signal without strength pass")
        return strength

    @property
    def why(self) -> str | None:
        """The reason, in either spelling."""
        return self.reason if self.reason is not None else self.activation_reason


def _same(field: str, one: object, other_field: str, other: object) -> None:
    if one is not None and other is not None and one != other:
        raise field_error(field, f"differs from {other_field}: give one of them")
