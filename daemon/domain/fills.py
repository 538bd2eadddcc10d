"""The simulated venue: what an order gets at a reference price.

The model is data of the agent's config (`FillModel`): slippage and fee in basis points, and the price impact
of a constant-product pool when its liquidity is known. The fee is paid in SOL: taken out of what a buy
spends, and out of what a sale brings. Everything is computed on integers and rounded once: what we receive
down, what we pay up.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from daemon.domain.config import FillModel
from daemon.domain.values import BPS, LAMPORTS_PER_SOL, QUANTITY_MAX, Price, round_price

_HUNDREDTH: Final = Decimal("0.01")


class Execution(NamedTuple):
    """What a fill swaps."""

    quantity: int
    """Token units."""
    lamports: int
    """SOL swapped, without the fee."""
    fee: int
    price: Price
    impact_bps: str


class Refusal(NamedTuple):
    """Why the venue cannot execute it."""

    limit: str
    value: str


def fee_of(lamports: int, fee_bps: int) -> int:
    """A fee, rounded up to lamports."""
    return -(-lamports * fee_bps // BPS)


def buy(
    spend: int, reference: Price, decimals: int, model: FillModel, liquidity: int | None
) -> Execution | Refusal:
    """Spend lamports, fee included.

    tokens = swapped ÷ (reference × (1 + slippage)) × S ÷ (S + swapped), S the pool's SOL side (half of the
    stated liquidity): a constant-product pool without its own fee.
    """
    fee = fee_of(spend, model.fee_bps)
    swapped = spend - fee
    pool = (liquidity // 2, liquidity // 2 + swapped) if liquidity is not None else (1, 1)
    numerator, denominator = reference.as_integer_ratio()
    quantity = (
        swapped
        * 10**decimals
        * denominator
        * BPS
        * pool[0]
        // (LAMPORTS_PER_SOL * numerator * (BPS + model.slippage_bps) * max(1, pool[1]))
    )
    if not 0 < quantity <= QUANTITY_MAX:
        return Refusal("1 … 2^64-1 base units", str(quantity))
    if model.slippage_bps or pool[0] != pool[1]:
        price = round_price(reference * (BPS + model.slippage_bps) / BPS * pool[1] / pool[0])
    else:
        price = round_price(reference)
    return Execution(quantity, swapped, fee, price, _impact_bps(*pool))


def sell(
    quantity: int, reference: Price, decimals: int, model: FillModel, liquidity: int | None
) -> Execution | Refusal:
    """Sell token units.

    SOL = value ÷ (1 + value ÷ S) with value = quantity × reference × (1 − slippage), less the fee. It may
    round to nothing: a worthless position can still be closed.
    """
    numerator, denominator = reference.as_integer_ratio()
    worth = quantity * numerator * (BPS - model.slippage_bps) * LAMPORTS_PER_SOL
    per = 10**decimals * denominator * BPS
    value = worth // per
    side = 0 if liquidity is None else liquidity // 2
    pool = (1, 1) if liquidity is None else (side, side + value)
    # worth ÷ per × S ÷ (S + worth ÷ per), rounded once: with `value`, which is rounded, it came to too much.
    lamports = value if liquidity is None else worth * side // max(1, per * side + worth)
    if lamports > QUANTITY_MAX:
        return Refusal("at most 2^64-1 lamports", str(lamports))
    price = reference * (BPS - model.slippage_bps) / BPS * pool[0] / max(1, pool[1])
    fee = fee_of(lamports, model.fee_bps)
    return Execution(quantity, lamports, fee, round_price(price), _impact_bps(*pool))


def _impact_bps(before: int, after: int) -> str:
    if before == after:
        return "0"
    return format((Decimal(after - before) * BPS / after).quantize(_HUNDREDTH), "f")
