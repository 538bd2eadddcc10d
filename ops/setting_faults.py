"""A wrong setting in words for its user: which, what would be right, and what was given."""

from __future__ import annotations

from typing import Any, Final, Literal, get_args, get_origin

from pydantic import ValidationError

from daemon.settings import PREFIX, SettingError, Settings
from ops.errors import StartError, UsageError

SHOWN: Final = 60
"""Characters of a wrong value that are quoted."""


def refusal_of(error: SettingError, given: dict[str, object]) -> StartError:
    """What the user is told; an option of the command line is an error of usage, a variable is not.

    Where the setting has no words of its own, they follow from its type and its bounds.
    """
    fault = error.__context__
    if not isinstance(fault, ValidationError):
        return StartError(str(error))
    first = fault.errors()[0]
    name = str(first["loc"][0])
    is_option = given.get(name) is not None
    kind = UsageError if is_option else StartError
    right = _right(name)
    if first["type"] == "value_error" or right is None:
        return kind(str(error))
    origin = f"--{name.replace('_', '-')}" if is_option else PREFIX + name.upper()
    return kind(f"{origin}: must be {right}, not {_shown(first.get('input'))}")


def _right(name: str) -> str | None:
    field = Settings.model_fields[name]
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    if field.annotation is str:
        return "some text"
    if field.annotation is int:
        number = "a whole number"
    elif field.annotation is float:
        number = "a number"
    else:
        return None
    least, most = _bound(field.metadata, "ge"), _bound(field.metadata, "le")
    return f"{number} from {least or 0} to {most}" if most is not None else f"{number} from {least or 0} on"


def _bound(metadata: list[Any], name: str) -> Any:
    return next((getattr(each, name) for each in metadata if hasattr(each, name)), None)


def _shown(value: object) -> str:
    text = str(value)
    return repr(text if len(text) <= SHOWN else f"{text[:SHOWN]}…")
