"""Properties of the price guard, over generated readings of one mint."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.commands import Reading
from daemon.domain.marks import EMPTY, Accepted, Mark, Refused, clock, observe
from daemon.domain.values import Price, use_context
from tests.support.examples import AT, MINT


class Given(NamedTuple):
    price: str
    after: int
    age: int | None
    source: str
    low: str | None


readings = st.lists(
    st.builds(
        Given,
        st.sampled_from(["1", "1.1", "0.9", "1.5", "2", "2.2", "5", "0.2", "0.21", "1e-18", "1e18"]),
        st.sampled_from([0, 1, 1_000, 30_000, 60_001, -3_000, -10_000]),
        st.sampled_from([None, None, 0, 1, 5_000, -5_000, -5_001]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([None, None, None, "0.9", "0.2"]),
    ),
    max_size=30,
)


@given(readings)
def test_a_mark_moves_by_half_or_twice_confirmed(given_readings: list[Given]) -> None:
    """Every accepted mark lies within ±50 % of the one before it, or near an earlier refused reading."""
    use_context()
    prices, now, at = EMPTY, AT, AT
    refused: list[Mark] = []
    said: set[tuple[str, str]] = set()
    for each in given_readings:
        at += each.after
        now = clock(now, at)
        reading = Reading(
            mint=MINT,
            price=Price(each.price),
            source=each.source,
            low=None if each.low is None else Price(min(Price(each.low), Price(each.price))),
            observed_at=None if each.age is None else now - each.age,
        )
        before, last = prices.mark, prices
        prices, verdict = observe(prices, reading, now, None)
        if isinstance(verdict, Refused):
            assert prices.mark is before
            assert verdict.said == ((each.source, verdict.reason) in said)
            said.add((each.source, verdict.reason))
            if prices.candidate is not last.candidate and prices.candidate is not None:
                refused.append(prices.candidate)
        elif isinstance(verdict, Accepted):
            mark = prices.mark
            assert mark is not None
            assert mark.at <= now
            assert prices.candidate is None
            said = {pair for pair in said if pair[0] != each.source}
            if before is not None and not near(mark, before.price, "0.5", "1.5"):
                first = refused[-1]
                assert first.at < mark.at <= first.at + 60_000
                assert near(mark, first.price, "0.8", "1.2") or mark.low != mark.price
        else:
            assert prices is last


def near(mark: Mark, price: Price, less: str, more: str) -> bool:
    """Whether price, low and high lie within these shares of a price."""
    return price * Price(less) <= mark.low <= mark.price <= mark.high <= price * Price(more)
