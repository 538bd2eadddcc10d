"""Signals and what agents decided on them."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from api.answers.amounts import price
from api.answers.denials import denial
from api.bodies.signals import ACTION
from api.times import MOMENT_MS_MAX, moment_text
from projections.signal_decisions import SignalDecisionRow
from projections.signals import SignalRow


class SignalAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One signal, in both spellings."""

    id: str
    token_address: str
    symbol: str | None
    action: str
    signal_type: str
    score: int
    signal_strength: int
    source: str | None
    reason: str | None
    activation_reason: str | None
    price: str | None
    agent_ids: list[str] | None
    """The agents it was for; null: all of the owner's."""
    expires_at: str
    created_at: str
    updated_at: str


class DecisionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One agent's decision on a signal."""

    signal_id: str
    agent_id: str
    outcome: str
    """`approved` or `denied`."""
    rule: str | None
    """The rule that denied it."""
    limit: str | None
    value: str | None
    """The value that broke the rule, with its unit; of an id, what it is of."""
    price: str | None
    """The price that was looked at."""
    price_at: str | None
    price_age_ms: int | None
    order_id: str | None
    config_version: int
    created_at: str


def signal(row: SignalRow) -> SignalAnswer:
    """A signal's row as it is shown."""
    created_at = moment_text(row.created_at)
    addressees = row.addressees()
    return SignalAnswer(
        id=row.id,
        token_address=row.mint,
        symbol=row.symbol,
        action=ACTION,
        signal_type=row.signal_type,
        score=row.strength,
        signal_strength=row.strength,
        source=row.source,
        reason=row.reason,
        activation_reason=row.reason,
        price=price(row.price),
        agent_ids=None if addressees is None else [str(each) for each in addressees],
        expires_at=moment_text(min(row.expires_at, MOMENT_MS_MAX)),
        created_at=created_at,
        updated_at=created_at,
    )


def decision(row: SignalDecisionRow, orders: Collection[str] = ()) -> DecisionAnswer:
    """A decision's row as it is shown; `orders` are the ids that are known as orders'."""
    shown = denial(row.rule, row.limit, row.value, orders)
    return DecisionAnswer(
        signal_id=row.signal_id,
        agent_id=row.agent_id,
        outcome=row.outcome,
        rule=row.rule,
        limit=shown.limit,
        value=shown.value,
        price=price(row.price),
        price_at=None if row.price_at is None else moment_text(row.price_at),
        price_age_ms=row.price_age_ms,
        order_id=row.order_id,
        config_version=row.config_version,
        created_at=moment_text(row.at),
    )
