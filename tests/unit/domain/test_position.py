"""A position's figures, worked out by hand: two lots, a partial sale, the rest."""

from __future__ import annotations

import pytest

from daemon.domain.config import resolve
from daemon.domain.errors import DomainError
from daemon.domain.events import Lot, PositionIncreased, PositionOpened, PositionReduced
from daemon.domain.exits import decide_exit, falling_trigger
from daemon.domain.position import (
    Position,
    figures_with,
    figures_without,
    first_figures,
    increased,
    opened,
    reduced,
)
from daemon.domain.values import FillId, Price, use_context
from tests.support.examples import AGENT, AT, MINT, POSITION
from tests.support.given import mark

FIRST = Lot(fill_id=FillId("f1"), quantity=100, cost_lamports=1_010, price=Price("10"), at=AT)
SECOND = Lot(fill_id=FillId("f2"), quantity=300, cost_lamports=6_090, price=Price("20"), at=AT + 1)


def one_lot() -> Position:
    """100 units at 10: 1,000 swapped and a fee of 10."""
    use_context()
    event = PositionOpened(
        agent_id=AGENT,
        position_id=POSITION,
        mint=MINT,
        decimals=0,
        lot=FIRST,
        figures=first_figures(FIRST, 10),
    )
    return opened(event)


def two_lots() -> Position:
    """300 more at 20: 6,000 swapped and a fee of 90."""
    position = one_lot()
    figures = figures_with(position, SECOND, 90)
    return increased(
        position,
        PositionIncreased(agent_id=AGENT, position_id=POSITION, mint=MINT, lot=SECOND, figures=figures),
    )


def sell(position: Position, quantity: int, net: int, fee: int) -> Position:
    figures = figures_without(position, quantity, net, fee)
    return reduced(
        position,
        PositionReduced(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            fill_id=FillId("s"),
            quantity=quantity,
            figures=figures,
        ),
    )


def test_two_lots_add_up() -> None:
    """400 units for 7,100 with fees of 100, at (100 × 10 + 300 × 20) ÷ 400 = 17.5."""
    figures = two_lots().figures
    assert (figures.quantity, figures.cost_lamports, figures.fees) == (400, 7_100, 100)
    assert (figures.bought, figures.invested_lamports) == (400, 7_100)
    assert figures.entry_price == Price("17.5")


def test_a_partial_sale_realizes_the_oldest_lots() -> None:
    """200 units at 30 less a fee of 60 bring 5,940; they cost 1,010 + 6,090 ÷ 3 = 3,040: 2,900 realized."""
    position = sell(two_lots(), 200, 5_940, 60)
    figures = position.figures
    assert (figures.quantity, figures.cost_lamports) == (200, 4_060)
    assert (figures.proceeds_lamports, figures.realized_pnl, figures.fees) == (5_940, 2_900, 160)
    assert figures.entry_price == Price("20")
    assert [lot.quantity for lot in position.lots] == [200]
    assert (figures.bought, figures.invested_lamports) == (400, 7_100)


def test_a_sale_of_the_rest_realizes_the_rest() -> None:
    """The rest brings 1,980 and cost 4,060: 820 in all, which is what came in less what went out."""
    figures = figures_without(sell(two_lots(), 200, 5_940, 60), 200, 1_980, 20)
    assert (figures.quantity, figures.cost_lamports) == (0, 0)
    assert figures.realized_pnl == 820 == figures.proceeds_lamports - figures.invested_lamports
    assert figures.entry_price == Price("20")


def test_the_average_of_all_that_was_bought_outlives_a_sale() -> None:
    """The closed trade's entry price is that of everything ever bought, not of what was left at the end."""
    assert sell(two_lots(), 200, 0, 0).average_entry_price == Price("17.5")


def test_more_than_is_held_cannot_be_sold() -> None:
    """A sale of more than is held is an error."""
    with pytest.raises(DomainError):
        figures_without(two_lots(), 401, 0, 0)


STOP = resolve({"stopLoss": {"enabled": True, "percent": "10"}})


def test_a_stop_is_a_share_of_the_entry_price() -> None:
    """The stop of a 17.5 entry at 10 % is 15.75, whatever the lots cost in fees."""
    assert falling_trigger(two_lots(), STOP) == Price("15.75")
    assert falling_trigger(two_lots(), resolve({})) is None


@pytest.mark.parametrize(
    ("price", "low", "sells_at"),
    [
        ("15.75", None, "15.75"),  # at the stop
        ("15", None, "15"),  # gapped through
        ("17", "15.7", "15.75"),  # fell through and recovered
        ("15.76", "15.75", "15.75"),
    ],
)
def test_a_stop_sells_at_the_worse_of_stop_and_price(price: str, low: str | None, sells_at: str) -> None:
    """A reading whose low touches the stop sells at the stop, or at its price if that is lower."""
    decision = decide_exit(two_lots(), mark(price, low=low), STOP)
    assert decision is not None
    assert (decision.purpose, decision.trigger_price, decision.reference_price) == (
        "stop_loss",
        Price("15.75"),
        Price(sells_at),
    )


def test_a_stop_above_is_not_touched() -> None:
    """A low just above the stop sells nothing, and a stop that is off never does."""
    assert decide_exit(two_lots(), mark("15.750000000000000001"), STOP) is None
    assert decide_exit(two_lots(), mark("0.1"), resolve({})) is None
