"""Signals as they were posted."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import Index, Table, select

from daemon.domain.events import SignalReceived
from daemon.domain.values import AgentId, Mint, Owner, Price, SignalId
from daemon.records import encode
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
from projections.query import Query, Reader, columns, equals, span

TABLE: Final = Table(
    "signals",
    METADATA,
    id_column("id", key=True),
    text_column("owner"),
    text_column("mint"),
    text_column("signal_type"),
    count_column("strength"),
    text_column("symbol", optional=True),
    text_column("source", optional=True),
    text_column("reason", optional=True),
    price_column("price", optional=True),
    text_column("agent_ids", optional=True),
    long_column("expires_at"),
    long_column("created_at"),
    count_column("tape"),
    long_column("tape_offset"),
)
Index("signals_by_owner", TABLE.c.owner, TABLE.c.tape_offset)


class SignalRow(Row):
    """One signal."""

    id: SignalId
    owner: Owner
    mint: Mint
    signal_type: str
    strength: int
    expires_at: int
    created_at: int
    tape: int
    tape_offset: int
    symbol: str | None = None
    source: str | None = None
    reason: str | None = None
    price: Price | None = None
    agent_ids: str | None = None
    """JSON of the ids of the agents it was for; None: all of the owner's."""

    def addressees(self) -> list[AgentId] | None:
        """The agents it was for; None: all of the owner's."""
        return None if self.agent_ids is None else msgspec.json.decode(self.agent_ids, type=list[AgentId])


SIGNALS: Final = Model(TABLE, SignalRow)


def _received(event: SignalReceived, cause: Cause, batch: Batch) -> None:
    row = SignalRow(
        id=event.signal_id,
        owner=event.owner,
        mint=event.mint,
        signal_type=event.signal_type,
        strength=event.strength,
        symbol=event.symbol,
        source=event.source,
        reason=event.reason,
        price=event.price,
        agent_ids=None if event.agent_ids is None else encode(event.agent_ids).decode(),
        expires_at=event.expires_at,
        created_at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )
    batch.put(SIGNALS, event.signal_id, row)


FOLDS: Final[Folds] = {SignalReceived: _received}

_SIGNALS: Final = Query(
    select(*columns(TABLE)),
    SIGNALS.read,
    filters={
        **equals(TABLE, "owner", "id", "mint", "signal_type"),
        **span(TABLE.c.created_at, "since", "until"),
    },
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_signal(reader: Reader, owner: str, signal_id: str) -> SignalRow | None:
    """An owner's signal."""
    return await _SIGNALS.one(reader, owner=owner, id=signal_id)


async def list_signals(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    mint: str | None = None,
    signal_type: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[SignalRow]:
    """An owner's signals, newest first."""
    return await _SIGNALS.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        mint=mint,
        signal_type=signal_type,
        since=since,
        until=until,
    )
