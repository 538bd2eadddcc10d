"""Transactions: fills (SWAP) and deposits (DEPOSIT)."""

from __future__ import annotations

import msgspec

from api.answers.amounts import fraction_of_bps, price, sol, tokens
from api.times import moment_text
from daemon.domain.values import SOL
from projections.fills import FillRow


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One side of a transaction."""

    mint: str | None = None
    symbol: str | None = None
    amount: str | None = None
    price: str | None = None


class TransactionAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One transaction. What is null is not known, or does not apply."""

    id: str
    agent_id: str
    wallet_address: str | None
    transaction_type: str
    transaction_value_usd: str | None
    transaction_value_sol: str
    transaction_time: str
    destination_address: str | None
    signal_id: str | None
    order_id: str | None
    position_id: str | None
    purpose: str | None
    """Why the order existed: `entry`, or the reason of the exit."""
    fees: str
    """In SOL."""
    routes: None
    input_mint: str | None
    input_symbol: str | None
    input_amount: str | None
    input_price: str | None
    output_mint: str | None
    output_symbol: str | None
    output_amount: str | None
    output_price: str | None
    slippage: str | None
    """A fraction; positive is worse for us."""
    price_impact: str | None
    """A fraction."""
    is_dca: bool
    is_take_profit: bool
    transaction_hash: str | None
    protocol_fee_sol: str | None
    network_fee_sol: str | None
    price_at: str | None
    """The time of the price it was executed at."""
    created_at: str
    updated_at: str


def transaction(row: FillRow) -> TransactionAnswer:
    """A fill's or deposit's row as it is shown."""
    at = moment_text(row.at)
    given, got = _legs(row)
    return TransactionAnswer(
        id=row.id,
        agent_id=row.agent_id,
        wallet_address=row.wallet_address,
        transaction_type=row.kind,
        transaction_value_usd=None,
        transaction_value_sol=sol(row.lamports),
        transaction_time=at,
        destination_address=None,
        signal_id=row.signal_id,
        order_id=row.order_id,
        position_id=row.position_id,
        purpose=row.purpose,
        fees=sol(row.fee),
        routes=None,
        input_mint=given.mint,
        input_symbol=given.symbol,
        input_amount=given.amount,
        input_price=given.price,
        output_mint=got.mint,
        output_symbol=got.symbol,
        output_amount=got.amount,
        output_price=got.price,
        slippage=fraction_of_bps(row.slippage_bps),
        price_impact=fraction_of_bps(row.impact_bps),
        is_dca=False,
        is_take_profit=False,
        transaction_hash=None,
        protocol_fee_sol=sol(row.fee) if row.kind == "SWAP" else None,
        network_fee_sol=None,
        price_at=None if row.price_at is None else moment_text(row.price_at),
        created_at=at,
        updated_at=at,
    )


def _legs(row: FillRow) -> tuple[Leg, Leg]:
    """What went in and what came out. A deposit has its SOL as input, as the peer books it."""
    base = Leg(mint=SOL, symbol="SOL", amount=sol(row.lamports), price="1")
    if row.side is None:
        return base, Leg()
    token = Leg(
        mint=row.mint,
        symbol=row.symbol or row.mint,
        amount=tokens(row.quantity, row.decimals),
        price=price(row.price),
    )
    return (base, token) if row.side == "buy" else (token, base)
