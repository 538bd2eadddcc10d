"""Balances: what each agent holds of each mint."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

from asyncpg import Record
from sqlalchemy import Index, Table, and_, select

from daemon.domain.events import FundsDeposited, LedgerEntry, OrderFilled
from daemon.domain.ids import balance_id
from daemon.domain.values import SOL, SOL_DECIMALS, AgentId, Mint, Owner
from projections import marks
from projections.batch import Batch
from projections.marks import MarkPrice, mark_of
from projections.model import (
    METADATA,
    Cause,
    Folds,
    Model,
    Row,
    count_column,
    id_column,
    long_column,
    text_column,
    units_column,
)
from projections.query import Query, Reader, columns, equals

TABLE: Final = Table(
    "balances",
    METADATA,
    id_column("id", key=True),
    text_column("owner"),
    id_column("agent_id"),
    text_column("wallet_address", optional=True),
    text_column("mint"),
    text_column("symbol"),
    count_column("decimals"),
    units_column("balance"),
    long_column("updated_at"),
    count_column("tape"),
    long_column("tape_offset"),
    # Rows change all the time, and no index names what changes: so they are rewritten in place.
    postgresql_with={"fillfactor": 70},
)
Index("balances_by_owner", TABLE.c.owner)
Index("balances_by_agent", TABLE.c.agent_id)


class BalanceRow(Row):
    """One agent's balance of one mint. A mint that was sold out stays, with 0."""

    id: str
    owner: Owner
    agent_id: AgentId
    mint: Mint
    symbol: str
    """The signal's, else the mint."""
    decimals: int
    balance: int
    updated_at: int
    tape: int
    tape_offset: int
    """The input that changed it last."""
    wallet_address: str | None = None


class MarkedBalance(NamedTuple):
    """A balance and the mint's mark, which SOL has none of."""

    balance: BalanceRow
    mark: MarkPrice | None


# The same few balances change again and again.
_id_of: Final = lru_cache(maxsize=65_536)(balance_id)

BALANCES: Final = Model(TABLE, BalanceRow, is_replaced=True)


def _put(
    agent_id: AgentId, entry: LedgerEntry, symbol: str | None, decimals: int, cause: Cause, batch: Batch
) -> None:
    known = cause.agents[agent_id]
    row = BalanceRow(
        id=_id_of(agent_id, entry.mint),
        owner=known.owner,
        agent_id=agent_id,
        wallet_address=known.wallet_address,
        mint=entry.mint,
        symbol="SOL" if entry.mint == SOL else symbol or entry.mint,
        decimals=SOL_DECIMALS if entry.mint == SOL else decimals,
        balance=entry.balance,
        updated_at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )
    batch.put(BALANCES, row.id, row)


def _deposited(event: FundsDeposited, cause: Cause, batch: Batch) -> None:
    for entry in event.ledger:
        _put(event.agent_id, entry, None, SOL_DECIMALS, cause, batch)


def _filled(event: OrderFilled, cause: Cause, batch: Batch) -> None:
    # Of several entries of one mint, such as a swap and its fee, the last holds the balance after all.
    for entry in {each.mint: each for each in event.ledger}.values():
        _put(event.agent_id, entry, event.symbol, event.decimals, cause, batch)


FOLDS: Final[Folds] = {FundsDeposited: _deposited, OrderFilled: _filled}


def _marked(values: Record) -> MarkedBalance:
    return MarkedBalance(BALANCES.read(values), mark_of(values))


_BALANCES: Final = Query(
    select(*columns(TABLE), *marks.MARK_COLUMNS).select_from(
        TABLE.outerjoin(
            marks.TABLE, and_(marks.TABLE.c.tape == TABLE.c.tape, marks.TABLE.c.mint == TABLE.c.mint)
        )
    ),
    _marked,
    filters=equals(TABLE, "owner", "id", "agent_id", "mint", "wallet_address"),
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_balance(reader: Reader, owner: str, balance_id: str) -> MarkedBalance | None:
    """An owner's balance by its id."""
    return await _BALANCES.one(reader, owner=owner, id=balance_id)


async def list_balances(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    mint: str | None = None,
    wallet_address: str | None = None,
) -> list[MarkedBalance]:
    """An owner's balances with their marks, the one changed last first."""
    return await _BALANCES.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        agent_id=agent_id,
        mint=mint,
        wallet_address=wallet_address,
    )
