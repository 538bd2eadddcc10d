"""Historical swaps: closed trades."""

from __future__ import annotations

import msgspec

from api.answers.amounts import percent, sol, tokens
from api.times import moment_text
from daemon.domain.values import plain
from projections.closed_positions import ClosedPositionRow


class SwapAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One closed trade; its id is the position's."""

    id: str
    agent_id: str
    wallet_address: str | None
    token_address: str
    token_symbol: str
    amount: str
    purchase_price: str
    sale_price: str
    change_percent: str | None
    profit_loss_usd: str | None
    profit_loss_sol: str
    """Net of fees."""
    invested_sol: str
    proceeds_sol: str
    fees_sol: str
    purchase_time: str
    sale_time: str
    purchase_transaction_id: str
    sale_transaction_id: str
    signal_id: str | None
    close_reason: str
    created_at: str


def swap(row: ClosedPositionRow) -> SwapAnswer:
    """A closed position's row as it is shown."""
    closed_at = moment_text(row.closed_at)
    return SwapAnswer(
        id=row.id,
        agent_id=row.agent_id,
        wallet_address=row.wallet_address,
        token_address=row.mint,
        token_symbol=row.symbol or row.mint,
        amount=tokens(row.bought, row.decimals),
        purchase_price=plain(row.entry_price),
        sale_price=plain(row.exit_price),
        change_percent=percent(row.exit_price - row.entry_price, row.entry_price),
        profit_loss_usd=None,
        profit_loss_sol=sol(row.realized_pnl),
        invested_sol=sol(row.invested_lamports),
        proceeds_sol=sol(row.proceeds_lamports),
        fees_sol=sol(row.fees),
        purchase_time=moment_text(row.opened_at),
        sale_time=closed_at,
        purchase_transaction_id=row.entry_fill_id,
        sale_transaction_id=row.exit_fill_id,
        signal_id=row.signal_id,
        close_reason=row.reason,
        created_at=closed_at,
    )
