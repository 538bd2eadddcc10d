"""Marks and the price guard: which readings may trade.

A pure fold over readings in tape order. The trader and the projector run the same function, so the read
model `marks` is what the trader decided on.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, Literal, NamedTuple

import msgspec

from daemon.domain.commands import Reading
from daemon.domain.values import CONTEXT, Price

FUTURE_MS_MAX: Final = 5_000
"""A reading whose own time lies further ahead of the log's clock is refused."""
JUMP_MAX: Final = Decimal("0.5")
"""A value further from the last accepted price waits for a second reading."""
CONFIRM_WITHIN: Final = Decimal("0.2")
"""How near the second reading must be to the first."""
CONFIRM_MS_MAX: Final = 60_000
"""How long a first reading waits for its second."""
AGE_MS_MAX: Final = 60_000
"""Older readings become the mark, but by default no agent trades at them: that is said."""
SAID_MAX: Final = 32
"""Refusals remembered of one mint: source names come from outside and could be many."""
_MORE: Final = 1 + JUMP_MAX
_LESS: Final = 1 - JUMP_MAX
_NEAR_MORE: Final = 1 + CONFIRM_WITHIN
_NEAR_LESS: Final = 1 - CONFIRM_WITHIN

# In the core's own context whatever the caller's is: trader and projector must come to the same verdict.
_times: Final = CONTEXT.multiply

Reason = Literal["jump", "future", "decimals", "age"]


class Mark(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The newest accepted reading of a mint."""

    price: Price
    low: Price
    high: Price
    at: int
    """The earlier of the reading's own time and the log's, ms."""
    source: str
    liquidity: int | None = None


class MintPrices(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All that the guard knows of one mint."""

    mark: Mark | None = None
    candidate: Mark | None = None
    """A reading that jumped and waits to be confirmed by a second one."""
    said: tuple[tuple[str, str], ...] = ()
    """(source, reason) of the refusals that were said since that source's last accepted reading."""


EMPTY: Final = MintPrices()


class Accepted(NamedTuple):
    """The reading is the mint's mark now."""

    old_ms: int | None = None
    """Its age, if that is beyond what agents trade at by default and was not said before."""


class Older(NamedTuple):
    """The reading is older than the mark and moves nothing."""


class Refused(NamedTuple):
    """The guard kept the reading from trading; `said` if that was said before."""

    reason: Reason
    limit: str
    value: str
    said: bool


Verdict = Accepted | Older | Refused
ACCEPTED: Final = Accepted()
OLDER: Final = Older()


def observe(
    prices: MintPrices, reading: Reading, now: int, decimals: int | None
) -> tuple[MintPrices, Verdict]:
    """Fold one reading; `now` is the trader's, `decimals` those the mint has, None if not fixed yet."""
    own = reading.observed_at
    if own is not None and own > now + FUTURE_MS_MAX:
        return _refuse(prices, reading, "future", f"{FUTURE_MS_MAX} ms", f"{own - now} ms")
    if reading.decimals is not None and decimals is not None and reading.decimals != decimals:
        return _refuse(prices, reading, "decimals", str(decimals), str(reading.decimals))
    at = now if own is None or own > now else own
    price = reading.price
    last = prices.mark
    mark = Mark(
        price=price,
        low=price if reading.low is None else reading.low,
        high=price if reading.high is None else reading.high,
        at=at,
        source=reading.source,
        liquidity=reading.liquidity if reading.liquidity is not None or last is None else last.liquidity,
    )
    if last is not None:
        # A mark from the future (the clock was set back) must not block what is observed now.
        if at < last.at <= now:
            return prices, OLDER
        if not _within(mark, last.price, _LESS, _MORE) and not _confirms(mark, prices.candidate):
            said, verdict = _refuse(prices, reading, "jump", f"±{JUMP_MAX:%}", _change(mark, last))
            return msgspec.structs.replace(said, candidate=mark), verdict
    age = now - at
    if not prices.said and age <= AGE_MS_MAX:
        return MintPrices(mark=mark), ACCEPTED
    key = (reading.source, "age")
    was_said = key in prices.said
    others = tuple(each for each in prices.said if each[0] != reading.source)
    if age <= AGE_MS_MAX:
        return MintPrices(mark=mark, said=others), ACCEPTED
    said_now = (*others[-SAID_MAX + 1 :], key)
    return MintPrices(mark=mark, said=said_now), ACCEPTED if was_said else Accepted(age)


def is_fresh(mark: Mark, now: int, max_age_ms: int) -> bool:
    """Whether an order may fill at this mark. A mark from the future counts as stale."""
    return 0 <= now - mark.at <= max_age_ms


def _within(mark: Mark, base: Decimal, less: Decimal, more: Decimal) -> bool:
    low, high = _times(base, less), _times(base, more)
    if mark.low is mark.price is mark.high:  # a tick
        return low <= mark.price <= high
    return low <= mark.low and mark.high <= high and low <= mark.price <= high


def _confirms(mark: Mark, first: Mark | None) -> bool:
    if first is None or not first.at < mark.at <= first.at + CONFIRM_MS_MAX:
        return False
    pairs = ((mark.price, first.price), (mark.low, first.low), (mark.high, first.high))
    return all(_times(old, _NEAR_LESS) <= new <= _times(old, _NEAR_MORE) for new, old in pairs)


def _change(mark: Mark, last: Mark) -> str:
    worst = max((mark.price, mark.low, mark.high), key=lambda each: abs(CONTEXT.subtract(each, last.price)))
    return f"{CONTEXT.subtract(CONTEXT.divide(worst, last.price), Decimal(1)):+.1%}"


def _refuse(
    prices: MintPrices, reading: Reading, reason: Reason, limit: str, value: str
) -> tuple[MintPrices, Refused]:
    key = (reading.source, reason)
    if key in prices.said:
        return prices, Refused(reason, limit, value, said=True)
    said = msgspec.structs.replace(prices, said=(*prices.said[-SAID_MAX + 1 :], key))
    return said, Refused(reason, limit, value, said=False)


def clock(now: int, at: int) -> int:
    """The trader's `now` after an input that the log stamped `at`: it never goes back by up to 5 s.

    An `at` further behind shows that the clock had run ahead; then `now` follows it down.
    """
    return at if at > now or at < now - FUTURE_MS_MAX else now
