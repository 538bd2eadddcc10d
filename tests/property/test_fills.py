"""Properties of the simulated venue and of lots: exact, rounded once and against us."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.config import FillModel
from daemon.domain.events import Lot
from daemon.domain.fills import Execution, Refusal, buy, sell
from daemon.domain.lots import take
from daemon.domain.values import (
    LAMPORTS_PER_SOL,
    QUANTITY_MAX,
    FillId,
    Price,
    from_units,
    parse_price,
    plain,
    round_price,
    to_units,
    use_context,
)

quantities = st.one_of(st.integers(1, 10**6), st.integers(1, QUANTITY_MAX))
decimals = st.integers(0, 18)
pools = st.one_of(st.none(), st.integers(0, 100), st.integers(0, QUANTITY_MAX))
prices = (
    st.builds(
        lambda digits, exponent: Price(digits).scaleb(exponent),
        st.one_of(st.integers(1, 10**6), st.integers(1, 10**38 - 1)),
        st.integers(-37, 18),
    )
    .filter(lambda price: Price("1e-18") <= price <= Price("1e18"))
    .map(Price)
)
models = st.builds(
    lambda slippage, fee: FillModel.model_validate({"slippageBps": slippage, "feeBps": fee}),
    st.integers(0, 5_000),
    st.integers(0, 5_000),
)


def impact(worth: Fraction, pool: int | None) -> Fraction:
    """What of a swap's worth is left by a constant-product pool."""
    if pool is None:
        return Fraction(1)
    side = pool // 2
    return Fraction(side) / (side + worth) if side + worth else Fraction(0)


@given(quantities, prices, decimals, models, pools)
def test_a_buy_gives_the_exact_amount_rounded_down(
    spend: int, price: Price, places: int, model: FillModel, pool: int | None
) -> None:
    """Fee rounded up, units rounded down, once, whatever the figures; what cannot be held is refused."""
    use_context()
    fee = -(-spend * model.fee_bps // 10_000)
    swapped = Fraction(spend - fee)
    slipped = Fraction(price) * (10_000 + model.slippage_bps) / 10_000
    exact = swapped / LAMPORTS_PER_SOL / slipped * 10**places * impact(swapped, pool)
    got = buy(spend, price, places, model, pool)
    if isinstance(got, Refusal):
        assert exact < 1 or exact >= QUANTITY_MAX + 1
        assert got.value == str(int(exact))
        return
    assert (got.quantity, got.fee, got.lamports + got.fee) == (int(exact), fee, spend)
    assert got.price >= round_price(price)


@given(quantities, prices, decimals, models, pools)
def test_a_sale_brings_the_exact_amount_rounded_down(
    quantity: int, price: Price, places: int, model: FillModel, pool: int | None
) -> None:
    """Lamports rounded down, once; the fee rounded up and never more than they are."""
    use_context()
    worth = Fraction(quantity, 10**places) * Fraction(price) * LAMPORTS_PER_SOL
    worth *= Fraction(10_000 - model.slippage_bps, 10_000)
    exact = worth * impact(worth, pool)
    got = sell(quantity, price, places, model, pool)
    if isinstance(got, Refusal):
        assert exact >= QUANTITY_MAX + 1
        return
    assert (got.lamports, got.quantity) == (int(exact), quantity)
    assert 0 <= got.fee <= got.lamports
    assert got.price <= round_price(price)


@given(st.integers(1, 10**13), prices, decimals, models, pools)
def test_a_round_trip_gains_nothing(
    spend: int, price: Price, places: int, model: FillModel, pool: int | None
) -> None:
    """Buying and selling at one price never brings more than was spent."""
    use_context()
    bought = buy(spend, price, places, model, pool)
    if isinstance(bought, Execution):
        sold = sell(bought.quantity, price, places, model, pool)
        assert isinstance(sold, Execution)
        assert sold.lamports - sold.fee <= spend


lots = st.lists(st.tuples(st.integers(1, 10**6), st.integers(0, 10**12)), min_size=1, max_size=6).map(
    lambda pairs: tuple(
        Lot(fill_id=FillId(str(n)), quantity=quantity, cost_lamports=cost, price=Price(1), at=0)
        for n, (quantity, cost) in enumerate(pairs)
    )
)


@given(lots, st.lists(st.integers(1, 10**6), max_size=10))
def test_costs_of_lots_add_up(held: tuple[Lot, ...], sales: list[int]) -> None:
    """However a position is sold, what was given up and what is left add up to what it cost."""
    cost, quantity = sum(each.cost_lamports for each in held), sum(each.quantity for each in held)
    given_up = sold = 0
    for sale in sales:
        part = min(sale, quantity - sold)
        if part == 0:
            break
        held, share = take(held, part)
        assert share >= 0
        given_up, sold = given_up + share, sold + part
    assert given_up + sum(each.cost_lamports for each in held) == cost
    assert sold + sum(each.quantity for each in held) == quantity


@given(prices)
def test_a_price_survives_its_text(price: Price) -> None:
    """A price is read back from its text as the same number, and its text is canonical."""
    text = plain(price)
    assert parse_price(text) == price
    assert str(parse_price(text)) == text
    assert "E" not in str(price)


@given(st.integers(0, QUANTITY_MAX), decimals)
def test_units_survive_whole_tokens(units: int, places: int) -> None:
    """Base units to whole tokens and back are the same, in text too."""
    assert to_units(from_units(units, places), places) == units
    assert to_units(Price(plain(from_units(units, places))), places) == units


@given(st.text(max_size=90))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Whatever text comes, a price is read or a ValueError is raised."""
    try:
        price = parse_price(text)
    except ValueError:
        return
    assert Price("1e-18") <= price <= Price("1e18")
