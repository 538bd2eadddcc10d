"""Balances: what each agent holds of each mint."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple, TypedDict, Unpack

from asyncpg import Record
from sqlalchemy import Index, and_, select

from daemon.domain.events import FundsDeposited, LedgerEntry, OrderFilled
from daemon.domain.ids import balance_id
from daemon.domain.values import SOL, SOL_DECIMALS, AgentId, Mint, Owner
from projections import marks
from projections.batch import Batch
from projections.marks import MarkPrice, mark_of
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals
from projections.tables import AnyId, Count, Long, Units, table


class BalanceRow(Row):
    """One agent's balance of one mint. A mint that was sold out stays, with 0."""

    id: AnyId
    owner: Owner
    agent_id: AgentId
    mint: Mint
    symbol: str
    """The signal's, else the mint."""
    decimals: Count
    balance: Units
    updated_at: Long
    tape: Count
    tape_offset: Long
    """The input that changed it last."""
    wallet_address: str | None = None


TABLE: Final = table("balances", BalanceRow, ("id",), fillfactor=70)

Index("balances_by_owner", TABLE.c.owner)
Index("balances_by_agent", TABLE.c.agent_id)


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
        _id_of(agent_id, entry.mint),
        known.owner,
        agent_id,
        entry.mint,
        "SOL" if entry.mint == SOL else symbol or entry.mint,
        SOL_DECIMALS if entry.mint == SOL else decimals,
        entry.balance,
        cause.at,
        cause.tape,
        cause.tape_offset,
        known.wallet_address,
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


class BalanceFilters(TypedDict, total=False):
    """What lists of balances may be narrowed to."""

    agent_id: str | None
    mint: str | None
    wallet_address: str | None


async def list_balances(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[BalanceFilters],
) -> list[MarkedBalance]:
    """An owner's balances with their marks, the one changed last first."""
    return await _BALANCES.all(reader, limit=limit, offset=offset, owner=owner, **filters)
