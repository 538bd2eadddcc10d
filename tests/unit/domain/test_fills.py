"""The simulated venue, with figures worked out by hand."""

from __future__ import annotations

import pytest

from daemon.domain.config import FillModel
from daemon.domain.fills import Execution, Refusal, buy, fee_of, sell
from daemon.domain.values import LAMPORTS_PER_SOL, QUANTITY_MAX, Price, use_context

SOLS = LAMPORTS_PER_SOL


def model(slippage_bps: int = 0, fee_bps: int = 0) -> FillModel:
    use_context()
    return FillModel.model_validate({"slippageBps": slippage_bps, "feeBps": fee_bps})


def execution(got: Execution | Refusal) -> Execution:
    assert isinstance(got, Execution), got
    return got


def test_a_buy_pays_its_fee_out_of_what_it_spends() -> None:
    """1 SOL at 0.0067 with 30 bp: fee 0.003, 0.997 swapped, 0.997 ÷ 0.0067 = 148.805970149… tokens."""
    got = execution(buy(SOLS, Price("0.0067"), 6, model(fee_bps=30), None))
    assert got == Execution(148_805_970, 997_000_000, 3_000_000, Price("0.0067"), "0")


def test_slippage_worsens_a_buy() -> None:
    """1 SOL at 0.5 with 25 % slippage is filled at 0.625: 1.6 tokens."""
    got = execution(buy(SOLS, Price("0.5"), 6, model(slippage_bps=2_500), None))
    assert (got.quantity, got.price) == (1_600_000, Price("0.625"))


def test_slippage_worsens_a_sale() -> None:
    """2 tokens at 0.5 with 25 % slippage are filled at 0.375: 0.75 SOL."""
    got = execution(sell(2_000_000, Price("0.5"), 6, model(slippage_bps=2_500), None))
    assert (got.lamports, got.price) == (750_000_000, Price("0.375"))


def test_a_sale_pays_its_fee_out_of_what_it_brings() -> None:
    """2 tokens at 0.5 bring 1 SOL; 30 bp of it are the fee."""
    got = execution(sell(2_000_000, Price("0.5"), 6, model(fee_bps=30), None))
    assert got == Execution(2_000_000, SOLS, 3_000_000, Price("0.5"), "0")


def test_a_buy_moves_the_pool() -> None:
    """25 SOL into a pool of 100 SOL (200 stated) at 0.5: 50 × 100 ÷ 125 = 40 tokens, at 0.625."""
    got = execution(buy(25 * SOLS, Price("0.5"), 6, model(), 200 * SOLS))
    assert got == Execution(40_000_000, 25 * SOLS, 0, Price("0.625"), "2000.00")


def test_a_sale_moves_the_pool() -> None:
    """40 tokens worth 20 SOL into a pool of 100 SOL: 20 ÷ 1.2 = 16.666666666… SOL, rounded down."""
    got = execution(sell(40_000_000, Price("0.5"), 6, model(), 200 * SOLS))
    assert got == Execution(40_000_000, 16_666_666_666, 0, Price("0.416666666666666667"), "1666.67")


def test_a_fee_is_rounded_up() -> None:
    """What we pay is rounded up to lamports: 30 bp of 1,001 are 3.003, so 4; of 1,000 exactly 3."""
    assert [fee_of(each, 30) for each in (0, 1, 1_000, 1_001)] == [0, 1, 3, 4]


def test_what_is_bought_is_rounded_down() -> None:
    """1 SOL at 0.3 buys 3.333… tokens: 3 where the mint has no decimals."""
    assert execution(buy(SOLS, Price("0.3"), 0, model(), None)).quantity == 3
    assert execution(buy(SOLS, Price("0.3"), 18, model(), None)).quantity == 3_333_333_333_333_333_333


def test_a_sale_is_rounded_down_once() -> None:
    """3.9 lamports' worth against a pool of 10 brings 39 ÷ 13.9 = 2.8 lamports: 2, not 39 ÷ 13 = 3."""
    got = execution(sell(39, Price("0.0000000001"), 0, model(), 20))
    assert got.lamports == 2


@pytest.mark.parametrize(
    ("spend", "price", "decimals", "liquidity"),
    [
        (1, "1", 9, None),  # the fee takes all
        (SOLS, "1e18", 0, None),  # less than one unit
        (SOLS, "1e-18", 18, None),  # more than 2^64-1 units
        (SOLS, "1", 9, 0),  # an empty pool
        (SOLS, "1", 9, 1),  # a pool without a whole lamport of SOL
    ],
)
def test_a_buy_that_gives_nothing_or_too_much_is_refused(
    spend: int, price: str, decimals: int, liquidity: int | None
) -> None:
    """Extreme prices, sizes and pools are refused by the venue and raise nothing."""
    got = buy(spend, Price(price), decimals, model(fee_bps=30), liquidity)
    assert isinstance(got, Refusal)
    assert got.limit == "1 … 2^64-1 base units"


def test_a_worthless_position_can_be_sold() -> None:
    """A sale may bring nothing, also into an empty pool; the fee of nothing is nothing."""
    for liquidity in (None, 0, 1):
        got = execution(sell(1, Price("1e-18"), 18, model(fee_bps=30), liquidity))
        assert (got.lamports, got.fee) == (0, 0)


def test_a_sale_for_more_than_can_be_held_is_refused() -> None:
    """A sale worth more than 2^64 − 1 lamports is refused and raises nothing."""
    got = sell(QUANTITY_MAX, Price("1e18"), 0, model(), None)
    assert isinstance(got, Refusal)
    assert execution(sell(QUANTITY_MAX, Price("1e18"), 0, model(), 2 * SOLS)).lamports < SOLS


def test_a_price_of_38_digits_is_exact() -> None:
    """Quantities are computed from all digits of a price."""
    price = Price("0.99999999999999999999999999999999999999")
    got = execution(buy(SOLS, price, 9, model(), None))
    assert got.quantity == SOLS  # 1.00000000000000000000000000000000000001, rounded down
    assert execution(sell(SOLS, price, 9, model(), None)).lamports == SOLS - 1
