"""Times on the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.times import MOMENT_MS_MAX, moment_text, parse_moment


@given(st.integers(0, MOMENT_MS_MAX))
def test_a_time_comes_back(ms: int) -> None:
    """What is written is read as the same millisecond."""
    assert parse_moment(moment_text(ms)) == ms


def test_a_time_is_utc_with_milliseconds() -> None:
    """A time ends in three digits and Z."""
    assert moment_text(1_705_314_600_000) == "2024-01-15T10:30:00.000Z"


@pytest.mark.parametrize(
    ("text", "ms"),
    [
        ("2024-01-15T10:30:00Z", 1_705_314_600_000),
        ("2024-01-15T10:30Z", 1_705_314_600_000),
        ("2024-01-15 12:30:00.5+02:00", 1_705_314_600_500),
        ("2024-01-15t10:30:00.123456789z", 1_705_314_600_123),
        ("2024-01-15T05:30:00-0500", 1_705_314_600_000),
    ],
)
def test_other_ways_to_write_a_time_are_read(text: str, ms: int) -> None:
    """ISO 8601 with any zone is taken; what is finer than a millisecond is cut off."""
    assert parse_moment(text) == ms
