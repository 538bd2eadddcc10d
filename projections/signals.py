"""Signals as they were posted."""

from __future__ import annotations

from typing import Final, TypedDict, Unpack

import msgspec
from sqlalchemy import Index, select

from daemon.domain.events import SignalReceived
from daemon.domain.values import AgentId, Mint, Owner, Price, SignalId
from daemon.records import encode
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals, span
from projections.tables import Count, Long, table


class SignalRow(Row):
    """One signal."""

    id: SignalId
    owner: Owner
    mint: Mint
    signal_type: str
    strength: Count
    expires_at: Long
    created_at: Long
    tape: Count
    tape_offset: Long
    symbol: str | None = None
    source: str | None = None
    reason: str | None = None
    price: Price | None = None
    agent_ids: str | None = None
    """JSON of the ids of the agents it was for; None: all of the owner's."""

    def addressees(self) -> list[AgentId] | None:
        """The agents it was for; None: all of the owner's."""
        return None if self.agent_ids is None else msgspec.json.decode(self.agent_ids, type=list[AgentId])


TABLE: Final = table("signals", SignalRow, ("id",))

Index("signals_by_owner", TABLE.c.owner, TABLE.c.tape_offset)


SIGNALS: Final = Model(TABLE, SignalRow)


def _received(event: SignalReceived, cause: Cause, batch: Batch) -> None:
    row = SignalRow(
        event.signal_id,
        event.owner,
        event.mint,
        event.signal_type,
        event.strength,
        event.expires_at,
        cause.at,
        cause.tape,
        cause.tape_offset,
        event.symbol,
        event.source,
        event.reason,
        event.price,
        None if event.agent_ids is None else encode(event.agent_ids).decode(),
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


class SignalFilters(TypedDict, total=False):
    """What lists of signals may be narrowed to; spans of time include both ends."""

    mint: str | None
    signal_type: str | None
    since: int | None
    until: int | None


async def list_signals(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[SignalFilters],
) -> list[SignalRow]:
    """An owner's signals, newest first."""
    return await _SIGNALS.all(reader, limit=limit, offset=offset, owner=owner, **filters)
