"""What each agent decided on a signal: approved, or denied with the rule, its limit and the value."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Index, Table, select

from daemon.domain.events import OrderApproved, SignalDenied
from daemon.domain.values import AgentId, OrderId, Owner, Price, SignalId
from projections.batch import Batch
from projections.model import (
    METADATA,
    Cause,
    Folds,
    Model,
    Row,
    count_column,
    id_column,
    long_column,
    price_column,
    text_column,
)
from projections.query import Query, Reader, columns, equals

TABLE: Final = Table(
    "signal_decisions",
    METADATA,
    id_column("signal_id", key=True),
    id_column("agent_id", key=True),
    text_column("owner"),
    text_column("outcome"),
    text_column("rule", optional=True),
    text_column("limit", optional=True),
    text_column("value", optional=True),
    price_column("price", optional=True),
    long_column("price_at", optional=True),
    long_column("price_age_ms", optional=True),
    count_column("config_version"),
    id_column("order_id", optional=True),
    long_column("at"),
    count_column("tape"),
    long_column("tape_offset"),
)
Index("signal_decisions_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)


class SignalDecisionRow(Row):
    """One agent's decision on one signal."""

    signal_id: SignalId
    agent_id: AgentId
    owner: Owner
    outcome: str
    """`approved` or `denied`."""
    config_version: int
    at: int
    tape: int
    tape_offset: int
    rule: str | None = None
    limit: str | None = None
    value: str | None = None
    price: Price | None = None
    """The mark that was looked at."""
    price_at: int | None = None
    price_age_ms: int | None = None
    order_id: OrderId | None = None


SIGNAL_DECISIONS: Final = Model(TABLE, SignalDecisionRow, insert_only=True)


def _row(
    event: SignalDenied | OrderApproved, signal_id: SignalId, outcome: str, cause: Cause
) -> SignalDecisionRow:
    return SignalDecisionRow(
        signal_id=signal_id,
        agent_id=event.agent_id,
        owner=cause.agents[event.agent_id].owner,
        outcome=outcome,
        price=event.price,
        price_at=event.price_at,
        price_age_ms=None if event.price_at is None else cause.at - event.price_at,
        config_version=event.config_version,
        at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )


def _denied(event: SignalDenied, cause: Cause, batch: Batch) -> None:
    row = _row(event, event.signal_id, "denied", cause)
    row.rule, row.limit, row.value = event.rule, event.limit, event.value
    batch.put(SIGNAL_DECISIONS, (event.signal_id, event.agent_id), row)


def _approved(event: OrderApproved, cause: Cause, batch: Batch) -> None:
    # A later order of the same signal, such as an exit, is no decision on the signal.
    if event.signal_id is None or event.purpose != "entry" or event.n > 0:
        return
    row = _row(event, event.signal_id, "approved", cause)
    row.order_id = event.order_id
    batch.put(SIGNAL_DECISIONS, (event.signal_id, event.agent_id), row)


FOLDS: Final[Folds] = {SignalDenied: _denied, OrderApproved: _approved}

_DECISIONS: Final = Query(
    select(*columns(TABLE)),
    SIGNAL_DECISIONS.read,
    filters=equals(TABLE, "owner", "signal_id", "agent_id", "outcome"),
    order=(TABLE.c.tape_offset.desc(), TABLE.c.signal_id, TABLE.c.agent_id),
)


async def list_decisions(
    reader: Reader,
    owner: str,
    signal_id: str | None = None,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    outcome: str | None = None,
) -> list[SignalDecisionRow]:
    """Decisions on a signal or of an agent, newest first, then by agent."""
    return await _DECISIONS.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        signal_id=signal_id,
        agent_id=agent_id,
        outcome=outcome,
    )
