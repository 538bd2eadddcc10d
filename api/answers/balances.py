"""Balances."""

from __future__ import annotations

from typing import Annotated

import msgspec

from api.answers.amounts import tokens
from api.times import moment_text
from daemon.domain.values import SOL, plain
from projections.balances import MarkedBalance


class BalanceAnswer(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One agent's balance of one token."""

    id: str
    agent_id: str
    wallet_address: str | None
    token_address: str
    token_symbol: str
    balance: str
    last_updated: str
    price_sol: (
        Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "number"})] | msgspec.UnsetType
    ) = msgspec.UNSET
    """A JSON number, the only one for money: its digits are written as they are, through no float."""
    price_at: str | msgspec.UnsetType = msgspec.UNSET


def balance(found: MarkedBalance, *, priced: bool) -> BalanceAnswer:
    """A balance's row as it is shown; with its price in lists, where one is known."""
    row, mark = found
    answer = BalanceAnswer(
        id=row.id,
        agent_id=row.agent_id,
        wallet_address=row.wallet_address,
        token_address=row.mint,
        token_symbol=row.symbol,
        balance=tokens(row.balance, row.decimals),
        last_updated=moment_text(row.updated_at),
    )
    if not priced:
        return answer
    if row.mint == SOL:
        return msgspec.structs.replace(answer, price_sol=msgspec.Raw(b"1"))
    if mark is None:
        return answer
    number = msgspec.Raw(plain(mark.price).encode())
    return msgspec.structs.replace(answer, price_sol=number, price_at=moment_text(mark.at))
