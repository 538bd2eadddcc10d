"""An agent's config: every field with its bounds, its default and what it does.

The defaults trade: 1 SOL on a signal of any strength and type, as long as the balance lasts. Keys are
camelCase in JSON; amounts and percentages are strings (a JSON number may have passed through a float).
"""

from __future__ import annotations

from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Annotated, Any, Final, Literal

import msgspec
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from daemon.domain.values import SOL_DECIMALS, parse_decimal, plain, to_units

SHARED_MAX: Final = 1_024
"""Different configs that are kept to be shared; further ones are only not shared."""


def _exact(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return parse_decimal(str(value))
    if not isinstance(value, str):
        raise ValueError('must be a decimal number in a string, such as "1.5"')
    return parse_decimal(value)


def _sol(value: Any) -> Decimal:
    if not isinstance(value, (str, Decimal)):
        raise ValueError('must be an amount of SOL in a string, such as "1.5"')
    amount = _exact(value)
    to_units(amount, SOL_DECIMALS)
    return amount


Exact = Annotated[Decimal, BeforeValidator(_exact), PlainSerializer(plain, return_type=str)]
"""A decimal number, in JSON a string (a whole number may come bare)."""
Sol = Annotated[Decimal, BeforeValidator(_sol), PlainSerializer(plain, return_type=str)]
"""An amount of SOL with at most 9 decimal places, in JSON a string."""
SignalType = Annotated[
    str, StringConstraints(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f\x7f-\x9f]+$")
]


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, alias_generator=to_camel, validate_by_name=False
    )


class SignalFilters(_Section):
    """Which signals the agent listens to."""

    min_strength: int = Field(1, ge=1, le=5, description="Least signal strength (score) that may trade.")
    allowed_signal_types: Annotated[tuple[SignalType, ...], Field(max_length=100, strict=False)] = Field(
        (), description="Signal types that may trade, compared exactly; empty: all."
    )


class Sizing(_Section):
    """How much SOL one entry spends, fees included."""

    mode: Literal["fixed", "percent"] = Field(
        "fixed", description="`fixed`: `amount`; `percent`: a share of the free balance."
    )
    amount: Sol = Field(Decimal(1), gt=0, description="SOL per entry in mode `fixed`.")
    percent: Exact = Field(
        Decimal(10), gt=0, le=100, description="Percent of the free SOL balance per entry in mode `percent`."
    )

    @cached_property
    def lamports(self) -> int:
        """`amount` in lamports."""
        return to_units(self.amount, SOL_DECIMALS)


class PurchaseLimits(_Section):
    """What the agent may hold."""

    minimum_agent_balance: Sol = Field(
        Decimal(0), ge=0, description="Free SOL that must remain after an entry."
    )
    max_open_positions: int | None = Field(
        None, ge=1, le=100_000, description="Most open positions, waiting entries included; null: no limit."
    )
    one_position_per_token: bool = Field(
        False, description="Whether a token that is held, or about to be, may not be bought again."
    )


class StopLoss(_Section):
    """When a position is sold at a loss."""

    enabled: bool = Field(False, description="Whether the stop is armed.")
    percent: Exact = Field(
        Decimal(32), gt=0, lt=100, description="Sells when price ≤ entry × (1 − percent/100)."
    )


class Market(_Section):
    """At which prices the agent trades."""

    max_price_age_seconds: int = Field(
        60, ge=1, le=86_400, description="Oldest price an order may fill at, in seconds."
    )
    order_expiry_seconds: int = Field(
        60,
        ge=1,
        le=86_400,
        description="How long an order waits for a fresh price once it may fill, in seconds.",
    )


class FillModel(_Section):
    """The simulated venue: a version of the fill model's data for this agent."""

    slippage_bps: int = Field(0, ge=0, le=5_000, description="Worsens the price of every fill, basis points.")
    fee_bps: int = Field(30, ge=0, le=5_000, description="Venue fee in SOL on every fill, basis points.")
    latency_ms: int = Field(
        0, ge=0, le=60_000, description="0: fills at once; else at the first price at least so much later."
    )


class AgentConfig(_Section):
    """Everything an operator can set for one agent."""

    signals: SignalFilters = SignalFilters()
    sizing: Sizing = Sizing()
    purchase_limits: PurchaseLimits = PurchaseLimits()
    stop_loss: StopLoss = StopLoss()
    market: Market = Market()
    fill_model: FillModel = FillModel()


DEFAULT_CONFIG: Final = AgentConfig()


def resolve(given: dict[str, Any]) -> AgentConfig:
    """The given keys over the defaults; raises pydantic's `ValidationError` naming every wrong field."""
    return AgentConfig.model_validate(given)


def first_fault(error: ValidationError) -> str:
    """The first wrong field of a config, by its path."""
    return ".".join(map(str, error.errors(include_url=False)[0]["loc"])) or "config"


def from_stored(config: dict[str, Any]) -> AgentConfig:
    """A config as its event holds it. Agents with the same one share it: thousands often do."""
    return _shared(msgspec.json.encode(config))


@lru_cache(maxsize=SHARED_MAX)
def _shared(text: bytes) -> AgentConfig:
    return AgentConfig.model_validate(msgspec.json.decode(text))


def stored(config: AgentConfig) -> dict[str, Any]:
    """The fully resolved config as its event holds it and as the API shows it."""
    return config.model_dump(mode="json", by_alias=True)


def given_keys(config: AgentConfig) -> dict[str, Any]:
    """Only the keys that were given, in the stored form."""
    return config.model_dump(mode="json", by_alias=True, exclude_unset=True)
