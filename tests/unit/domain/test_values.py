from __future__ import annotations

import decimal
from decimal import Decimal

import pytest

from daemon.domain.errors import BrokenInvariant
from daemon.domain.values import (
    CONTEXT,
    QUANTITY_MAX,
    Price,
    ceil_units,
    check_context,
    floor_units,
    from_units,
    parse_decimal,
    parse_price,
    plain,
    round_price,
    to_units,
    use_context,
)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("1", "1"),
        ("1.50", "1.5"),
        ("0.000000000000000001", "0.000000000000000001"),
        ("1e18", "1000000000000000000"),
        ("67e-4", "0.0067"),
        ("1" * 19 + "e-1", "111111111111111111.1"),
    ],
)
def test_a_price_has_one_form(text: str, canonical: str) -> None:
    """A price is read in any notation and written in plain notation without trailing zeros."""
    assert str(parse_price(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "1e-19",
        "1.1e18",
        "1e999999",
        "NaN",
        "-Infinity",
        "sNaN",
        "",
        " ",
        "1,5",
        "1" * 39,
        "9" * 81,
    ],
)
def test_a_bad_price_is_refused(text: str) -> None:
    """A price is a finite number from 1e-18 to 1e18 with at most 38 digits; all else is a ValueError."""
    with pytest.raises(ValueError):
        parse_price(text)


@pytest.mark.parametrize("text", ["1e999999", "1e-999999", "1e61", "1" * 39, "0x10", "", "infinity"])
def test_a_bad_decimal_is_refused(text: str) -> None:
    """No text makes the parser raise anything but ValueError, however far out it is."""
    with pytest.raises(ValueError):
        to_units(parse_decimal(text), 9)


def test_units_come_out_even() -> None:
    """An amount with more places than its mint has is refused, not rounded."""
    assert to_units(Decimal("0.000000001"), 9) == 1
    assert to_units(Decimal("18446744073.709551615"), 9) == QUANTITY_MAX
    for text in ("0.0000000001", "-1", "18446744073.709551616", "1e30"):
        with pytest.raises(ValueError):
            to_units(Decimal(text), 9)


def test_units_are_exact_both_ways() -> None:
    """The largest quantity survives the way to whole tokens and back."""
    assert to_units(from_units(QUANTITY_MAX, 18), 18) == QUANTITY_MAX
    assert plain(from_units(QUANTITY_MAX, 18)) == "18.446744073709551615"


def test_what_we_receive_is_rounded_down_and_what_we_pay_up() -> None:
    """Base units round against us, also for products of two numbers of 38 digits."""
    assert floor_units(Decimal("1.999999999999999999999999999999999999999")) == 1
    assert ceil_units(Decimal("1.000000000000000000000000000000000000001")) == 2


def test_a_computed_price_has_18_digits() -> None:
    """A computed price is rounded half even to 18 significant digits, trailing zeros dropped."""
    assert str(round_price(Decimal(2) / 3)) == "0.666666666666666667"
    assert str(round_price(Decimal(1234567890123456785))) == "1234567890123456780"
    assert str(round_price(Decimal("0.1000"))) == "0.1"


def test_plain_never_writes_an_exponent() -> None:
    """Zero is 0 whatever its exponent, and large numbers are written out."""
    assert [plain(Decimal(each)) for each in ("0E-20", "1E+3", "1.10", "-0")] == ["0", "1000", "1.1", "0"]
    assert str(Price("1E-8")) == "0.00000001"


def test_decisions_need_their_context() -> None:
    """A decision under another decimal context is a broken invariant, and use_context mends it."""
    with decimal.localcontext(decimal.Context(prec=28)), pytest.raises(BrokenInvariant):
        check_context()
    with decimal.localcontext():
        use_context()
        check_context()
        assert decimal.getcontext() is not CONTEXT
