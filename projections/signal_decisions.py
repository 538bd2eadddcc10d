"""What each agent decided on a signal: approved, or denied with the rule, its limit and the value."""

from __future__ import annotations

from typing import Final

from sqlalchemy import select

from daemon.domain.events import OrderApproved, SignalDenied
from daemon.domain.values import AgentId, OrderId, Owner, Price, SignalId
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import Count, Long, table


class SignalDecisionRow(Row):
    """One agent's decision on one signal."""

    signal_id: SignalId
    agent_id: AgentId
    owner: Owner
    outcome: str
    """`approved` or `denied`."""
    config_version: Count
    at: Long
    tape: Count
    tape_offset: Long
    price: Price | None = None
    """The mark that was looked at."""
    price_at: Long | None = None
    price_age_ms: Long | None = None
    order_id: OrderId | None = None
    rule: str | None = None
    limit: str | None = None
    value: str | None = None


TABLE: Final = table("signal_decisions", SignalDecisionRow, ("signal_id", "agent_id"))


SIGNAL_DECISIONS: Final = Model(TABLE, SignalDecisionRow, insert_only=True)


def _denied(event: SignalDenied, cause: Cause, batch: Batch) -> None:
    row = _row(event, event.signal_id, "denied", None, cause)
    row.rule, row.limit, row.value = event.rule, event.limit, event.value
    batch.put(SIGNAL_DECISIONS, (event.signal_id, event.agent_id), row)


def _approved(event: OrderApproved, cause: Cause, batch: Batch) -> None:
    # A later order of the same signal, such as an exit, is no decision on the signal.
    if event.signal_id is None or event.purpose != "entry" or event.n > 0:
        return
    row = _row(event, event.signal_id, "approved", event.order_id, cause)
    batch.put(SIGNAL_DECISIONS, (event.signal_id, event.agent_id), row)


def _row(
    event: SignalDenied | OrderApproved,
    signal_id: SignalId,
    outcome: str,
    order_id: OrderId | None,
    cause: Cause,
) -> SignalDecisionRow:
    return SignalDecisionRow(
        signal_id,
        event.agent_id,
        cause.agents[event.agent_id].owner,
        outcome,
        event.config_version,
        cause.at,
        cause.tape,
        cause.tape_offset,
        event.price,
        event.price_at,
        None if event.price_at is None else cause.at - event.price_at,
        order_id,
    )


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
    wanted = {"signal_id": signal_id, "agent_id": agent_id, "outcome": outcome}
    return await _DECISIONS.all(reader, limit=limit, offset=offset, owner=owner, **wanted)
