"""Orders."""

from __future__ import annotations

import msgspec

from api.answers.amounts import price, sol, tokens
from api.answers.denials import denial
from api.times import moment_text
from daemon.domain.values import SOL
from projections.orders import OrderRow


class OrderAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One order."""

    id: str
    agent_id: str
    wallet_address: str | None
    signal_id: str | None
    position_id: str | None
    cause_id: str | None
    """The command that asked for it, where neither a signal nor a price did."""
    token_address: str
    token_symbol: str
    side: str
    purpose: str
    status: str
    """`approved` while it waits; then `filled`, `expired`, `canceled` or `rejected`."""
    quantity: str
    """What it gives away, in units of `quantityMint`."""
    quantity_mint: str
    price: str | None
    """The mark at approval."""
    price_at: str | None
    trigger_price: str | None
    """The level that was crossed, for a stop."""
    fill_id: str | None
    """The transaction it ended in."""
    fill_after: str
    expires_at: str
    ended_at: str | None
    end_reason: str | None
    rule: str | None
    limit: str | None
    value: str | None
    config_version: int
    created_at: str


def order(row: OrderRow) -> OrderAnswer:
    """An order's row as it is shown."""
    buys = row.side == "buy"
    shown = denial(row.rule, row.limit, row.value)
    return OrderAnswer(
        id=row.id,
        agent_id=row.agent_id,
        wallet_address=row.wallet_address,
        signal_id=row.signal_id,
        position_id=row.position_id,
        cause_id=row.cause_id,
        token_address=row.mint,
        token_symbol=row.symbol or row.mint,
        side=row.side,
        purpose=row.purpose,
        status=row.state,
        quantity=sol(row.quantity) if buys else tokens(row.quantity, row.decimals),
        quantity_mint=SOL if buys else row.mint,
        price=price(row.price),
        price_at=None if row.price_at is None else moment_text(row.price_at),
        trigger_price=price(row.trigger_price),
        fill_id=row.fill_id,
        fill_after=moment_text(row.fill_after),
        expires_at=moment_text(row.expires_at),
        ended_at=None if row.ended_at is None else moment_text(row.ended_at),
        end_reason=row.end_reason,
        rule=row.rule,
        limit=shown.limit,
        value=shown.value,
        config_version=row.config_version,
        created_at=moment_text(row.created_at),
    )
