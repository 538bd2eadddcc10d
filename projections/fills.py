"""Fills and deposits in one list: an agent's transactions."""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from sqlalchemy import Index, Table, select

from daemon.domain.events import FundsDeposited, LedgerEntry, OrderFilled, Purpose, Side
from daemon.domain.values import SOL, SOL_DECIMALS, AgentId, Mint, OrderId, Owner, PositionId, Price, SignalId
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
    units_column,
)
from projections.query import Query, Reader, columns, equals, span

Kind = Literal["SWAP", "DEPOSIT"]

TABLE: Final = Table(
    "fills",
    METADATA,
    id_column("id", key=True),
    text_column("kind"),
    text_column("owner"),
    id_column("agent_id"),
    text_column("wallet_address", optional=True),
    id_column("order_id", optional=True),
    id_column("position_id", optional=True),
    id_column("signal_id", optional=True),
    text_column("mint"),
    text_column("symbol", optional=True),
    text_column("side", optional=True),
    text_column("purpose", optional=True),
    count_column("decimals"),
    units_column("quantity"),
    units_column("lamports"),
    units_column("fee"),
    text_column("fee_mint"),
    price_column("price", optional=True),
    price_column("reference_price", optional=True),
    long_column("price_at", optional=True),
    count_column("slippage_bps", optional=True),
    text_column("impact_bps", optional=True),
    text_column("ledger"),
    long_column("at"),
    count_column("tape"),
    long_column("tape_offset"),
)
Index("fills_by_owner", TABLE.c.owner, TABLE.c.tape_offset)
Index("fills_by_agent", TABLE.c.agent_id, TABLE.c.tape_offset)
Index("fills_by_position", TABLE.c.position_id)
Index("fills_by_signal", TABLE.c.signal_id)


class FillRow(Row):
    """One fill, of kind SWAP, or one deposit: then `mint` is SOL and what concerns an order is None."""

    id: str
    kind: Kind
    owner: Owner
    agent_id: AgentId
    mint: Mint
    decimals: int
    quantity: int
    """Token units bought or sold; for a deposit the lamports given."""
    lamports: int
    """SOL that was swapped, without the fee; for a deposit that was given."""
    fee: int
    fee_mint: Mint
    ledger: str
    """JSON of the ledger entries."""
    at: int
    tape: int
    tape_offset: int
    wallet_address: str | None = None
    order_id: OrderId | None = None
    position_id: PositionId | None = None
    signal_id: SignalId | None = None
    symbol: str | None = None
    side: Side | None = None
    purpose: Purpose | None = None
    price: Price | None = None
    reference_price: Price | None = None
    price_at: int | None = None
    slippage_bps: int | None = None
    impact_bps: str | None = None

    def entries(self) -> list[LedgerEntry]:
        """The balance changes it made."""
        return msgspec.json.decode(self.ledger, type=list[LedgerEntry])


FILLS: Final = Model(TABLE, FillRow)


def _filled(event: OrderFilled, cause: Cause, batch: Batch) -> None:
    known = cause.agents[event.agent_id]
    row = FillRow(
        id=event.fill_id,
        kind="SWAP",
        owner=known.owner,
        agent_id=event.agent_id,
        wallet_address=known.wallet_address,
        order_id=event.order_id,
        position_id=event.position_id,
        signal_id=event.signal_id,
        mint=event.mint,
        symbol=event.symbol,
        side=event.side,
        purpose=event.purpose,
        decimals=event.decimals,
        quantity=event.quantity,
        lamports=event.lamports,
        fee=event.fee,
        fee_mint=event.fee_mint,
        price=event.price,
        reference_price=event.reference_price,
        price_at=event.price_at,
        slippage_bps=event.slippage_bps,
        impact_bps=event.impact_bps,
        ledger=encode(event.ledger).decode(),
        at=cause.at,
        tape=cause.tape,
        tape_offset=cause.tape_offset,
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


async def list_transactions(
    reader: Reader,
    owner: str,
    *,
    limit: int,
    offset: int = 0,
    agent_id: str | None = None,
    kind: str | None = None,
    signal_id: str | None = None,
    order_id: str | None = None,
    position_id: str | None = None,
    mint: str | None = None,
    wallet_address: str | None = None,
    since: int | None = None,
    until: int | None = None,
) -> list[FillRow]:
    """An owner's fills and deposits, newest first."""
    return await _FILLS.all(
        reader,
        limit=limit,
        offset=offset,
        owner=owner,
        agent_id=agent_id,
        kind=kind,
        signal_id=signal_id,
        order_id=order_id,
        position_id=position_id,
        mint=mint,
        wallet_address=wallet_address,
        since=since,
        until=until,
    )
