"""The bodies that make and change agents."""

from __future__ import annotations

from typing import Any, Literal, Self, cast

import msgspec
from pydantic import Field, model_validator

from api.bodies.base import Body, field_error, parse
from api.bodies.types import SolText, Text100
from daemon.domain.config import AgentConfig

Mode = Literal["simulation", "live"]


class AgentBody(Body):
    """A new agent."""

    name: Text100 = Field(description="What people call it.")
    trading_mode: Mode = Field("simulation", description='"simulation"; "live" is not available yet.')
    config: AgentConfig | None = Field(None, description="The given keys over the defaults.")


class AgentChange(Body):
    """What to change of an agent; what is absent or null stays."""

    name: Text100 | None = Field(None, description="What people call it.")
    is_active: bool | None = Field(None, description="Whether it may open positions: not paused.")
    paused: bool | None = Field(None, description="The opposite of isActive. Exits go on while paused.")
    automated_trading_simulation: bool | None = Field(None, description="The same as isActive.")
    trading_mode: Mode | None = Field(None, description='"simulation"; "live" is not available yet.')

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        given = (self.name, self.is_active, self.paused, self.automated_trading_simulation, self.trading_mode)
        if all(value is None for value in given):
            raise field_error("name", "is required, or isActive, paused or tradingMode")
        if len(self._wishes()) > 1:
            raise field_error("paused", "contradicts isActive: give one of them")
        return self

    def _wishes(self) -> set[bool]:
        active = (
            self.is_active,
            self.automated_trading_simulation,
            None if self.paused is None else not self.paused,
        )
        return {value for value in active if value is not None}

    def wants_pause(self) -> bool | None:
        """Whether the agent shall be paused; None: as it is."""
        return next((not active for active in self._wishes()), None)


class DepositBody(Body):
    """SOL for a simulated agent."""

    amount: SolText = Field(description="SOL, more than 0.")

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.amount == 0:
            raise field_error("amount", "must be more than 0 SOL")
        return self


def parse_config(data: bytes) -> AgentConfig:
    """A config, bare or as `{"config": …}`; null asks for the defaults."""
    try:
        outer: Any = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        return parse(AgentConfig, data)  # which says what is wrong
    if set(outer) != {"config"}:
        return parse(AgentConfig, data)
    inner = bytes(cast("msgspec.Raw", outer["config"]))
    return parse(AgentConfig, b"{}" if inner == b"null" else inner, "config")
