"""The exact values of the core: mints, ids, quantities, prices.

Quantities are integers in base units (lamports for SOL); prices are `Price`, SOL for one whole token;
both are rounded to base units once, at the fill. All decimal arithmetic runs under `CONTEXT`.
"""

from __future__ import annotations

import decimal
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import Final, NewType

from daemon.domain.errors import BrokenInvariant

Mint = NewType("Mint", str)
"""A token's mint address: base58 of 32 bytes, case-sensitive."""
Owner = NewType("Owner", str)
"""Whom agents, API keys and signals belong to."""
InputId = NewType("InputId", str)
AgentId = NewType("AgentId", str)
SignalId = NewType("SignalId", str)
OrderId = NewType("OrderId", str)
FillId = NewType("FillId", str)
PositionId = NewType("PositionId", str)

SOL: Final = Mint("So11111111111111111111111111111111111111112")
SOL_DECIMALS: Final = 9
TOKEN_DECIMALS_DEFAULT: Final = 9
TOKEN_DECIMALS_MAX: Final = 18
LAMPORTS_PER_SOL: Final = 10**SOL_DECIMALS
QUANTITY_MAX: Final = 2**64 - 1
BPS: Final = 10_000
PRICE_MIN: Final = Decimal("1e-18")
PRICE_MAX: Final = Decimal("1e18")
PRICE_DIGITS: Final = 38
EXPONENT_MAX: Final = 60
"""Largest power of ten of any number from outside, either way."""

CONTEXT: Final = decimal.Context(
    prec=38,
    rounding=ROUND_HALF_EVEN,
    traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
)
"""The one decimal context of every decision: 38 digits, half even."""

# Twice the digits, so that a product of two 38-digit numbers is exact before it is rounded to base units.
_ROUNDING: Final = decimal.Context(prec=90, traps=[decimal.InvalidOperation, decimal.DivisionByZero])
_PRICE_ROUNDING: Final = decimal.Context(prec=18, rounding=ROUND_HALF_EVEN)


class Price(Decimal):
    """SOL for one whole token, written in plain notation. Arithmetic on it gives a plain `Decimal`."""

    __slots__ = ()

    def __str__(self) -> str:
        """Plain notation, never an exponent."""
        return format(self, "f")


def use_context() -> None:
    """Make `CONTEXT` the current task's decimal context; every stage that decides calls it once."""
    decimal.setcontext(CONTEXT.copy())


def check_context() -> None:
    """Assert that decisions run under `CONTEXT`."""
    context = decimal.getcontext()
    if context.prec != CONTEXT.prec or context.rounding != CONTEXT.rounding:
        raise BrokenInvariant(f"decimal context has prec {context.prec}, expected {CONTEXT.prec}")


def parse_price(text: str) -> Price:
    """A price from outside, in canonical form.

    Raises `ValueError` for what is no finite number from 1e-18 to 1e18 with at most 38 digits.
    """
    value = parse_decimal(text)
    if not PRICE_MIN <= value <= PRICE_MAX:
        raise ValueError("must be from 1e-18 to 1e18")
    return Price(value)


def parse_decimal(text: str) -> Decimal:
    """A finite decimal of at most 38 digits, without trailing zeros; raises `ValueError` otherwise.

    Its size is limited too: a few characters such as 1e-999999 must not become a megabyte in plain notation.
    """
    if not text.isascii() or "_" in text or text.strip() != text:
        raise ValueError("is not a decimal number")
    if len(text) > 80:  # noqa: PLR2004 - longer than any number with 38 digits between 1e-18 and 1e18
        raise ValueError("is too long for a number")
    try:
        value = Decimal(text)
    except decimal.InvalidOperation:
        raise ValueError("is not a decimal number") from None
    if not value.is_finite():
        raise ValueError("must be finite")
    digits = value.as_tuple().digits
    if len(digits) > PRICE_DIGITS:
        raise ValueError("has more than 38 digits")
    if value and abs(value.adjusted()) > EXPONENT_MAX:
        raise ValueError("is out of range")
    return value.normalize(_ROUNDING)


def round_price(value: Decimal) -> Price:
    """A computed price, rounded half even to 18 significant digits."""
    return Price(_PRICE_ROUNDING.plus(value).normalize(_ROUNDING))


def plain(value: Decimal) -> str:
    """Plain notation without trailing zeros, as stored and as answered by the API."""
    if not value:
        return "0"
    return format(value.normalize(_ROUNDING), "f")


def to_units(amount: Decimal, decimals: int) -> int:
    """Whole tokens to base units; raises `ValueError` where it does not come out even or is out of range."""
    scaled = amount.scaleb(decimals, _ROUNDING)
    if not 0 <= scaled <= QUANTITY_MAX:  # before it becomes an integer, which may be huge
        raise ValueError("must be from 0 to 2^64-1 base units")
    units = int(scaled)
    if scaled != units:
        raise ValueError(f"has more than {decimals} decimal places")
    return units


def from_units(units: int, decimals: int) -> Decimal:
    """Base units to whole tokens, exactly."""
    return Decimal(units).scaleb(-decimals, _ROUNDING)


def floor_units(value: Decimal) -> int:
    """Round what we receive down to base units."""
    return int(value.to_integral_value(ROUND_FLOOR, _ROUNDING))


def ceil_units(value: Decimal) -> int:
    """Round what we pay up to base units."""
    return int(value.to_integral_value(ROUND_CEILING, _ROUNDING))
