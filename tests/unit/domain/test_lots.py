from __future__ import annotations

import pytest

from daemon.domain.errors import DomainError
from daemon.domain.events import Lot
from daemon.domain.lots import average_price, take
from daemon.domain.values import FillId, Price, use_context


def lot(name: str, quantity: int, cost: int, price: str = "1") -> Lot:
    return Lot(fill_id=FillId(name), quantity=quantity, cost_lamports=cost, price=Price(price), at=0)


LOTS = (lot("a", 10, 100), lot("b", 20, 300), lot("c", 5, 7))


def test_the_oldest_lots_are_sold_first() -> None:
    """A sale takes whole lots from the oldest, and their cost with them."""
    assert take(LOTS, 10) == (LOTS[1:], 100)
    assert take(LOTS, 30) == (LOTS[2:], 400)
    assert take(LOTS, 35) == ((), 407)


def test_a_lot_sold_in_part_gives_up_its_share() -> None:
    """3 of 10 units that cost 100 give up 30; 15 units take the first lot and 5 ÷ 20 of the second."""
    assert take(LOTS, 3) == ((lot("a", 7, 70), *LOTS[1:]), 30)
    assert take(LOTS, 15) == ((lot("b", 15, 225), LOTS[2]), 175)


def test_a_share_is_rounded_down_and_nothing_is_lost() -> None:
    """One unit at a time, 5 units that cost 7 give up 1, 1, 1, 2, 2: exactly 7 together."""
    lots: tuple[Lot, ...] = (LOTS[2],)
    shares = []
    for _ in range(5):
        lots, cost = take(lots, 1)
        shares.append(cost)
    assert shares == [1, 1, 1, 2, 2]
    assert lots == ()


@pytest.mark.parametrize(("lots", "quantity"), [(LOTS, 36), ((), 1)])
def test_more_than_is_held_cannot_be_sold(lots: tuple[Lot, ...], quantity: int) -> None:
    """Selling more than is held is an error, never a negative lot."""
    with pytest.raises(DomainError):
        take(lots, quantity)


def test_an_average_price_is_weighted_by_quantity() -> None:
    """10 at 1 and 20 at 2.5 are 30 at 2; thirds are rounded to 18 digits."""
    use_context()
    assert average_price((lot("a", 10, 0, "1"), lot("b", 20, 0, "2.5"))) == Price("2")
    assert str(average_price((lot("a", 1, 0, "1"), lot("b", 2, 0, "1.1")))) == "1.06666666666666667"
