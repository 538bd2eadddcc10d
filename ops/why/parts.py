"""The leaves of the tree: one function for each part of an event, in whole tokens and readable times."""

from __future__ import annotations

from typing import Any, Final

from api.times import moment_text
from daemon.domain.commands import ClosePosition, Input, ObservePrices
from daemon.domain.events import (
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionFigures,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.order import next_state
from daemon.domain.risk import RULES, SIZED_RULES
from daemon.domain.values import SOL, SOL_DECIMALS, Mint, from_units, plain
from ops.why.journal import Place

Tree = dict[str, Any]

RULE_NAMES: Final = tuple(rule.__name__ for rule in (*RULES, *SIZED_RULES))
"""In the order in which they are asked."""

Change = PositionOpened | PositionIncreased | PositionReduced | PositionClosed
End = OrderFilled | OrderExpired | OrderCanceled | OrderRejected


def text(value: object) -> str | None:
    """How an optional value is written."""
    return None if value is None else str(value)


def tokens(units: int, decimals: int) -> str:
    """Base units as whole tokens."""
    return plain(from_units(units, decimals))


def where(place: Place) -> Tree:
    """Where and when an entry was decided."""
    return {
        "at": moment_text(place.at),
        "tapeOffset": place.tape_offset,
        "journalOffset": place.journal_offset,
        "deciderVersion": place.version,
    }


def mark(event: SignalDenied | OrderApproved, place: Place) -> Tree:
    """The mark that was looked at, and its age."""
    if event.price is None or event.price_at is None:
        return {"price": None, "priceAt": None, "priceAgeMs": None}
    return {
        "price": str(event.price),
        "priceAt": moment_text(event.price_at),
        "priceAgeMs": place.at - event.price_at,
    }


def rules_asked(denied_by: str | None) -> list[Tree]:
    """Every rule in order and what it said; behind a denial none is asked."""
    if denied_by is not None and denied_by not in RULE_NAMES:
        return [{"rule": denied_by, "answer": "denied"}]  # a rule of another version
    answers: list[Tree] = []
    answer = "passed"
    for name in RULE_NAMES:
        answers.append({"rule": name, "answer": "denied" if name == denied_by else answer})
        if name == denied_by:
            answer = "not asked"
    return answers


def signal_of(event: SignalReceived, place: Place) -> Tree:
    """A signal as it was posted."""
    return {
        "id": event.signal_id,
        "owner": event.owner,
        "tokenAddress": event.mint,
        "tokenSymbol": event.symbol,
        "signalType": event.signal_type,
        "signalStrength": event.strength,
        "source": event.source,
        "reason": event.reason,
        "price": text(event.price),
        "agentIds": None if event.agent_ids is None else list(event.agent_ids),
        "expiresAt": moment_text(event.expires_at),
        **where(place),
        "cause": cause_of(place.given, event.mint),
        "decisions": [],
    }


def cause_of(given: Input | None, mint: Mint) -> Tree | None:
    """The input that an entry came from, as far as it concerns this mint."""
    if given is None:
        return None
    told: Tree = {
        "type": type(given.command).__name__,
        "inputId": given.id,
        "owner": given.actor.owner,
        "key": given.actor.key,
        "route": given.route,
    }
    if isinstance(given.command, ObservePrices):
        told["readings"] = [
            {
                "price": str(reading.price),
                "low": text(reading.low),
                "high": text(reading.high),
                "source": reading.source,
            }
            for reading in given.command.readings
            if reading.mint == mint
        ]
    elif isinstance(given.command, ClosePosition):
        told["positionId"] = given.command.position_id
    return told


def ended(event: End, place: Place) -> Tree:
    """How an order ended."""
    end: Tree = where(place)
    told: Tree = {"state": next_state("approved", event), "end": end}
    match event:
        case OrderFilled():
            told["positionId"] = event.position_id
            told["fill"] = _fill(event, place)
        case OrderExpired():
            end["reason"] = event.reason
            end["priceAt"] = None if event.price_at is None else moment_text(event.price_at)
        case OrderCanceled():
            end["reason"] = event.reason
        case OrderRejected():
            end |= {"rule": event.rule, "limit": event.limit, "value": event.value}
    return told


def _fill(event: OrderFilled, place: Place) -> Tree:
    return {
        "id": event.fill_id,
        "side": event.side,
        "quantity": tokens(event.quantity, event.decimals),
        "sol": tokens(event.lamports, SOL_DECIMALS),
        "fee": tokens(event.fee, SOL_DECIMALS),
        "feeMint": event.fee_mint,
        "price": str(event.price),
        "referencePrice": str(event.reference_price),
        "priceAt": moment_text(event.price_at),
        "slippageBps": event.slippage_bps,
        "impactBps": event.impact_bps,
        **where(place),
        "cause": cause_of(place.given, event.mint),
        "ledger": [
            {
                "mint": entry.mint,
                "change": tokens(entry.change, SOL_DECIMALS if entry.mint == SOL else event.decimals),
                "balance": tokens(entry.balance, SOL_DECIMALS if entry.mint == SOL else event.decimals),
                "reason": entry.reason,
            }
            for entry in event.ledger
        ],
    }


def lot_of(event: Change, decimals: int) -> Tree:
    """The units that a change of a position is about."""
    if isinstance(event, (PositionOpened, PositionIncreased)):
        lot = event.lot
        return {
            "fillId": lot.fill_id,
            "quantity": tokens(lot.quantity, decimals),
            "cost": tokens(lot.cost_lamports, SOL_DECIMALS),
            "price": str(lot.price),
        }
    return {"fillId": event.fill_id, "quantity": tokens(event.quantity, decimals)}


def figures_of(figures: PositionFigures, decimals: int) -> Tree:
    """A position's figures in whole tokens and SOL."""

    def sol(units: int) -> str:
        return tokens(units, SOL_DECIMALS)

    return {
        "quantity": tokens(figures.quantity, decimals),
        "cost": sol(figures.cost_lamports),
        "entryPrice": str(figures.entry_price),
        "bought": tokens(figures.bought, decimals),
        "invested": sol(figures.invested_lamports),
        "fees": sol(figures.fees),
        "proceeds": sol(figures.proceeds_lamports),
        "realizedPnl": sol(figures.realized_pnl),
    }
