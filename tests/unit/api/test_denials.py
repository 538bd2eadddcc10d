"""Limit and value of a denial as the API shows them."""

from __future__ import annotations

import pytest

from api.answers.denials import Shown, denial, message
from projections.inputs import InputRow

MOST, MORE = "18446744073.709551615", "18446744073.709551616"
ID = "550e8400-e29b-41d4-a716-446655440000"


@pytest.mark.parametrize(
    ("rule", "limit", "value", "shown"),
    [
        ("already_open", "1", ID, Shown("1 position per token", f"position {ID}")),
        (
            "signal_expiry",
            "1705314600000 ms",
            "0 ms",
            ("2024-01-15T10:30:00.000Z", "1970-01-01T00:00:00.000Z"),
        ),
        ("signal_expiry", f"{2**64} ms", "soon", ("9999-12-31T23:59:59.999Z", "soon")),
        ("quantity", "at least 1 lamport", "0", ("at least 0.000000001 SOL", "0 SOL")),
        (
            "quantity",
            "at most 2^64-1 lamports",
            str(2**64),
            (f"at most {MOST} SOL", f"{MORE} SOL"),
        ),
        ("quantity", "1 … 2^64-1 base units", "0", ("1 … 2^64-1 base units", "0")),
        ("min_strength", "3", "1", ("3", "1")),
        ("balance", "0.5 SOL free", "1 SOL", ("0.5 SOL free", "1 SOL")),
        (None, None, None, (None, None)),
    ],
)
def test_a_denial_is_shown_in_the_units_of_the_api(
    rule: str | None, limit: str | None, value: str | None, shown: Shown
) -> None:
    """Amounts are SOL, times are times, an id says what it is of; all else is shown as it was recorded."""
    assert denial(rule, limit, value) == shown


def test_an_order_that_is_in_the_way_is_called_one() -> None:
    """An id that is known as an order's is no position's."""
    assert denial("already_open", "1", ID, {ID}).value == f"order {ID}"


@pytest.mark.parametrize(
    ("code", "rule", "limit", "value", "told"),
    [
        (
            "BALANCE_TOO_LARGE",
            "quantity",
            "2^64-1 lamports",
            str(2**64),
            f"the balance would be {MORE} SOL, and at most {MOST} SOL can be held",
        ),
        ("AGENT_NOT_FOUND", "agent_id", None, ID, "Agent not found"),
        ("NOVEL_CASE", "rule", "1", "2", "Novel case: rule 2, limit 1"),
        (None, None, None, None, "Denied"),
    ],
)
def test_a_denied_command_is_told_in_words(
    code: str | None, rule: str | None, limit: str | None, value: str | None, told: str
) -> None:
    """The message of a denial names what was not possible, also for a code that is new."""
    row = InputRow(tape=0, tape_offset=0, outcome="denied", at=0, code=code, rule=rule)
    assert message(row, denial(rule, limit, value)) == told
