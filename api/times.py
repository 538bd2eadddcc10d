"""Times on the wire: ISO 8601 in, UTC with milliseconds and `Z` out; milliseconds since the epoch inside."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

_FORM: Final = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:?\d\d)", re.ASCII
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
MOMENT_MS_MAX: Final = 253_402_300_799_999
"""The last millisecond of the year 9999."""


def parse_moment(value: Any) -> int:
    """Milliseconds since the epoch, what is finer cut off; raises `ValueError` for what is no time."""
    if not isinstance(value, str) or not _FORM.fullmatch(value):
        raise ValueError('must be a time with its zone, such as "2026-01-15T10:30:00.000Z"')
    try:
        moment = datetime.fromisoformat(value.upper())
    except ValueError:
        raise ValueError("is no date and time that exists") from None
    ms = (moment - _EPOCH) // _MILLISECOND
    if not 0 <= ms <= MOMENT_MS_MAX:
        raise ValueError("must lie between the years 1970 and 9999")
    return ms


def moment_text(ms: int) -> str:
    """UTC with milliseconds and `Z`."""
    return (_EPOCH + ms * _MILLISECOND).isoformat(timespec="milliseconds")[:-6] + "Z"
