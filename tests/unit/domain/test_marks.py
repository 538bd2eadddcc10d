"""The price guard: which readings may trade."""

from __future__ import annotations

import decimal

import pytest

from daemon.domain.commands import Reading
from daemon.domain.marks import (
    CONFIRM_MS_MAX,
    EMPTY,
    FUTURE_MS_MAX,
    Accepted,
    MintPrices,
    Older,
    Refused,
    Verdict,
    clock,
    is_fresh,
    observe,
)
from daemon.domain.values import Price, use_context
from tests.support.examples import AT, MINT
from tests.support.given import mark


def price_or_none(text: str | None) -> Price | None:
    return None if text is None else Price(text)


class Guard:
    """The guard of one mint, fed reading by reading."""

    def __init__(self, decimals: int | None = None) -> None:
        use_context()
        self.prices: MintPrices = EMPTY
        self.decimals = decimals

    def read(
        self,
        price: str,
        now: int = AT,
        *,
        source: str = "a",
        low: str | None = None,
        high: str | None = None,
        at: int | None = None,
        liquidity: int | None = None,
        decimals: int | None = None,
    ) -> Verdict:
        reading = Reading(
            mint=MINT,
            price=Price(price),
            source=source,
            low=price_or_none(low),
            high=price_or_none(high),
            observed_at=at,
            liquidity=liquidity,
            decimals=decimals,
        )
        self.prices, verdict = observe(self.prices, reading, now, self.decimals)
        return verdict

    @property
    def price(self) -> str:
        assert self.prices.mark is not None
        return str(self.prices.mark.price)


def reason(verdict: Verdict) -> str:
    assert isinstance(verdict, Refused), verdict
    return verdict.reason


def test_the_first_reading_is_accepted() -> None:
    """Whatever a mint's first reading says becomes its mark."""
    guard = Guard()
    assert guard.read("1000", low="1", high="1e9") == Accepted()
    assert guard.prices.mark is not None
    assert (guard.prices.mark.low, guard.prices.mark.high) == (Price("1"), Price("1e9"))


@pytest.mark.parametrize("price", ["0.5", "1.5", "1", "0.75"])
def test_a_price_within_half_is_accepted(price: str) -> None:
    """Up to ±50 % of the last accepted price, the bounds included, moves the mark."""
    guard = Guard()
    guard.read("1")
    assert guard.read(price, AT + 1) == Accepted()
    assert guard.price == price


@pytest.mark.parametrize(
    ("price", "low", "high"),
    [
        ("1.500000000000000001", None, None),
        ("0.499999999999999999", None, None),
        ("1", "0.49", None),
        ("1", None, "1.51"),
        ("1e18", None, None),
    ],
)
def test_a_jump_of_price_low_or_high_is_refused(price: str, low: str | None, high: str | None) -> None:
    """A price, low or high beyond ±50 % of the last accepted price does not move the mark."""
    guard = Guard()
    guard.read("1")
    assert reason(guard.read(price, AT + 1, low=low, high=high)) == "jump"
    assert guard.price == "1"


def test_a_refusal_names_limit_and_value() -> None:
    """A refusal holds the limit and by how much the reading broke it."""
    guard = Guard()
    guard.read("1")
    assert guard.read("3", AT + 1) == Refused("jump", "±50%", "+200.0%", said=False)
    assert guard.read("1", AT + 1, source="b", low="0.2") == Refused("jump", "±50%", "-80.0%", said=False)


def test_a_verdict_does_not_depend_on_the_callers_context() -> None:
    """Trader and projector judge a price of 38 digits alike, whichever decimal context they run under."""
    verdicts, guards = [], []
    for digits in (5, 28, 60):
        guard = Guard()
        with decimal.localcontext(decimal.Context(prec=digits)):
            guard.read("1.0000000000000000000000000000000000001")
            verdicts.append(guard.read("1.5000000000000000000000000000000000001", AT + 1))
            verdicts.append(guard.read("1.5000000000000000000000000000000000003", AT + 2))
        guards.append(guard.prices)
    assert [type(each) for each in verdicts] == [Accepted, Accepted] * 3
    assert guards[0] == guards[1] == guards[2]


def test_a_jump_is_measured_from_what_was_accepted() -> None:
    """Refused readings are no baseline: a second jump from the mark is refused as well."""
    guard = Guard()
    guard.read("1")
    guard.read("2", AT + 1)
    assert reason(guard.read("4", AT + 2)) == "jump"
    assert guard.read("1.1", AT + 3) == Accepted()


@pytest.mark.parametrize("price", ["2", "1.6", "2.4"])
def test_a_second_reading_confirms_a_jump(price: str) -> None:
    """A second reading within 20 % of the first, later, from any source, moves the mark."""
    guard = Guard()
    guard.read("1")
    guard.read("2", AT + 1)
    assert guard.read(price, AT + 2, source="b") == Accepted()
    assert guard.price == price


@pytest.mark.parametrize("price", ["1.59", "2.41"])
def test_a_second_reading_elsewhere_confirms_nothing(price: str) -> None:
    """A second reading further than 20 % from the first is a first one itself."""
    guard = Guard()
    guard.read("1")
    guard.read("2", AT + 1)
    assert reason(guard.read(price, AT + 2)) == "jump"
    assert guard.read(price, AT + 3) == Accepted()


def test_a_confirmation_comes_at_a_later_time() -> None:
    """Two readings of the same moment, as of one request, do not confirm each other."""
    guard = Guard()
    guard.read("1")
    guard.read("2", AT + 1)
    assert reason(guard.read("2", AT + 1, source="b")) == "jump"
    assert guard.read("2", AT + 2) == Accepted()


def test_a_confirmation_comes_within_a_minute() -> None:
    """60 s after the first reading it still confirms, a millisecond later it does not."""
    for late, expected in ((0, Accepted), (1, Refused)):
        guard = Guard()
        guard.read("1")
        guard.read("2", AT)
        assert isinstance(guard.read("2", AT + CONFIRM_MS_MAX + late), expected)


def test_low_and_high_are_confirmed_too() -> None:
    """A spike inside a candle is confirmed only by a reading that shows it again."""
    guard = Guard()
    guard.read("1")
    assert reason(guard.read("1", AT + 1, low="0.1")) == "jump"
    assert reason(guard.read("1", AT + 2, low="0.2")) == "jump"
    assert guard.read("1", AT + 3, low="0.21") == Accepted()


def test_a_stale_baseline_is_a_baseline() -> None:
    """A jump from a mark of last week needs its second reading as well."""
    guard = Guard()
    guard.read("1")
    assert reason(guard.read("3", AT + 7 * 86_400_000)) == "jump"


def test_an_older_reading_moves_nothing() -> None:
    """A reading older than the mark changes nothing, one of the same moment is accepted."""
    guard = Guard()
    guard.read("1", at=AT)
    before = guard.prices
    assert guard.read("1.1", AT + 9, at=AT - 1) == Older()
    assert guard.prices is before
    assert guard.read("1.2", AT + 9, at=AT) == Accepted()


def test_a_marks_time_is_the_earlier_one() -> None:
    """A mark has its reading's own time, but never one after the log's."""
    for own, expected in ((None, AT), (AT - 5, AT - 5), (AT + 5, AT), (AT + FUTURE_MS_MAX, AT)):
        guard = Guard()
        assert guard.read("1", at=own) == Accepted()
        assert guard.prices.mark is not None
        assert guard.prices.mark.at == expected


def test_a_reading_from_the_future_is_refused() -> None:
    """A reading more than 5 s ahead of the log's clock is refused, be it the first."""
    guard = Guard()
    verdict = guard.read("1", at=AT + FUTURE_MS_MAX + 1)
    assert verdict == Refused("future", "5000 ms", "5001 ms", said=False)
    assert guard.prices.mark is None


def test_other_decimals_are_refused() -> None:
    """Decimals are fixed once; a reading that states others trades nothing, one that states none may."""
    guard = Guard(decimals=6)
    assert guard.read("1", decimals=9) == Refused("decimals", "6", "9", said=False)
    assert guard.read("1", decimals=6) == Accepted()
    assert guard.read("1") == Accepted()


def test_a_refusal_is_said_once_per_episode() -> None:
    """Said once per source and reason, until a reading of that source is accepted."""
    guard = Guard()
    guard.read("1")
    far = AT + FUTURE_MS_MAX + 100
    verdicts = [
        guard.read("9", AT + 1),
        guard.read("90", AT + 2),
        guard.read("900", AT + 3, source="b"),
        guard.read("1", AT + 4, at=far),
        guard.read("1", AT + 4, at=far),
    ]
    assert [each.said for each in verdicts if isinstance(each, Refused)] == [False, True, False, False, True]
    assert guard.read("1", AT + 5, source="a") == Accepted()
    after = [guard.read("9", AT + 6, source="a"), guard.read("90", AT + 7, source="b")]
    assert [each.said for each in after if isinstance(each, Refused)] == [False, True]


def test_liquidity_stays_until_it_is_stated_again() -> None:
    """A reading without liquidity keeps the last one; a stated zero counts."""
    guard = Guard()
    stated = []
    for liquidity in (None, 500, None, 0, None):
        guard.read("1", liquidity=liquidity)
        assert guard.prices.mark is not None
        stated.append(guard.prices.mark.liquidity)
    assert stated == [None, 500, 500, 0, 0]


def test_a_mark_is_fresh_up_to_its_age() -> None:
    """A mark may trade up to its age, and not at all while it lies in the future."""
    assert is_fresh(mark("1", AT), AT, 60_000)
    assert is_fresh(mark("1", AT), AT + 60_000, 60_000)
    assert not is_fresh(mark("1", AT), AT + 60_001, 60_000)
    assert not is_fresh(mark("1", AT), AT - 1, 60_000)


def test_a_mark_from_the_future_blocks_nothing() -> None:
    """After the clock was set back, what is observed now replaces a mark that lies ahead."""
    guard = Guard()
    guard.read("1", AT + 3_600_000)
    assert guard.read("1.1", AT) == Accepted()
    assert guard.price == "1.1"


def test_now_never_goes_back_by_little() -> None:
    """Up to 5 s behind, now stays; further behind, the clock had run ahead and now follows it down."""
    assert [clock(AT, AT + each) for each in (1, 0, -1, -FUTURE_MS_MAX)] == [AT + 1, AT, AT, AT]
    assert clock(AT, AT - FUTURE_MS_MAX - 1) == AT - FUTURE_MS_MAX - 1
