"""What the command line gives, checked before anything is opened: a wrong value ends with exit code 2."""

from __future__ import annotations

from typing import Final

from api.bodies.types import canonical_uuid
from ops.errors import UsageError

PORT_MAX: Final = 65_535
_DIGITS_MAX: Final = 18


def whole_number(text: str, name: str, least: int, most: int | None = None) -> int:
    """The number that an option or argument states."""
    digits = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    if not digits or int(text) < least or (most is not None and int(text) > most):
        bounds = f"from {least} to {most}" if most is not None else f"from {least} on"
        raise UsageError(f"{name}: must be a whole number {bounds}, not {text!r}")
    return int(text)


def uuid_of(text: str, of_what: str) -> str:
    """The id that an argument states; `of_what` ends the sentence that says what has one."""
    found = canonical_uuid(text)
    if found is None:
        raise UsageError(f"{text!r} is no id: {of_what} has a UUID")
    return found
