"""Fills and deposits in one list: an agent's transactions."""

from __future__ import annotations

from typing import Final, Literal, TypedDict, Unpack

import msgspec
from sqlalchemy import Index, select

from daemon.domain.events import FundsDeposited, LedgerEntry, OrderFilled, Purpose, Side
from daemon.domain.values import SOL, SOL_DECIMALS, AgentId, Mint, OrderId, Owner, PositionId, Price, SignalId
from daemon.records import encode
from projections.batch import Batch
from projections.model import Cause, Folds, Model, Row
from projections.query import Query, Reader, columns, equals, span
from projections.tables import AnyId, Count, Long, Units, table

Kind = Literal["SWAP", "DEPOSIT"]


class FillRow(Row):
    """One fill, of kind SWAP, or one deposit: then `mint` is SOL and what concerns an order is None."""

    id: AnyId
    kind: Kind
    owner: Owner
    agent_id: AgentId
    mint: Mint
    decimals: Count
    quantity: Units
    """Token units bought or sold; for a deposit the lamports given."""
    lamports: Units
    """SOL that was swapped, without the fee; for a deposit that was given."""
    fee: Units
    fee_mint: Mint
    ledger: str
    """JSON of the ledger entries."""
    at: Long
    tape: Count
    tape_offset: Long
    wallet_address: str | None = None
    order_id: OrderId | None = None
    position_id: PositionId | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None
    side: Side | None = None
    purpose: Purpose | None = None
    price: Price | None = None
    reference_price: Price | None = None
    price_at: Long | None = None
    slippage_bps: Count | None = None
    impact_bps: str | None = None

    def entries(self) -> list[LedgerEntry]:
        """The balance changes it made."""
        return msgspec.json.decode(self.ledger, type=list[LedgerEntry])


TABLE: Final = table("fills", FillRow, ("id",))

Index("fills_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("fills_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)
Index("fills_by_position", TABLE.c.position_id)
Index("fills_by_signal", TABLE.c.signal_id)


FILLS: Final = Model(TABLE, FillRow)


def _filled(event: OrderFilled, cause: Cause, batch: Batch) -> None:
    known = cause.agents[event.agent_id]
    row = FillRow(
        event.fill_id,
        "SWAP",
        known.owner,
        event.agent_id,
        event.mint,
        event.decimals,
        event.quantity,
        event.lamports,
        event.fee,
        event.fee_mint,
        encode(event.ledger).decode(),
        cause.at,
        cause.tape,
        cause.tape_offset,
        known.wallet_address,
        event.order_id,
        event.position_id,
        event.signal_id,
        event.symbol,
        event.side,
        event.purpose,
        event.price,
        event.reference_price,
        event.price_at,
        event.slippage_bps,
        event.impact_bps,
    )
    batch.put(FILLS, event.fill_id, row)


def _deposited(event: FundsDeposited, cause: Cause, batch: Batch) -> None:
    known = cause.agents[event.agent_id]
    given = sum(entry.change for entry in event.ledger if entry.mint == SOL)
    row = FillRow(
        id=event.deposit_id,
        kind="DEPOSIT",
        owner=known.owner,
        agent_id=event.agent_id,
        wallet_address=known.wallet_address,
        mint=SOL,
        symbol="SOL",
        decimals=SOL_DECIMALS,
        quantity=given,
        lamports=given,
        fee=0,
        fee_mint=SOL,
        ledger=encode(event.ledger).decode(),
        at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
    )
    batch.put(FILLS, event.deposit_id, row)


FOLDS: Final[Folds] = {OrderFilled: _filled, FundsDeposited: _deposited}

_FILLS: Final = Query(
    select(*columns(TABLE)),
    FILLS.read,
    filters={
        **equals(TABLE, "owner", "id", "kind", "agent_id", "signal_id", "order_id", "position_id", "mint"),
        **equals(TABLE, "wallet_address"),
        **span(TABLE.c.at, "since", "until"),
    },
    order=(TABLE.c.tape_offset.desc(), TABLE.c.id),
)


async def get_transaction(reader: Reader, owner: str, fill_id: str) -> FillRow | None:
    """An owner's fill or deposit."""
    return await _FILLS.one(reader, owner=owner, id=fill_id)


class TransactionFilters(TypedDict, total=False):
    """What lists of transactions may be narrowed to; spans of time include both ends."""

    agent_id: str | None
    kind: str | None
    signal_id: str | None
    order_id: str | None
    position_id: str | None
    mint: str | None
    wallet_address: str | None
    since: int | None
    until: int | None


async def list_transactions(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    **filters: Unpack[TransactionFilters],
) -> list[FillRow]:
    """An owner's fills and deposits, newest first."""
    return await _FILLS.all(reader, limit=limit, offset=offset, owner=owner, **filters)
