"""What is said of a wrong field: what is wrong with it and what would be right, in the units of the API.

Neither pydantic's own texts nor what was sent appears: the first speak of Python, the second may be a secret.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from daemon.domain.values import PRICE_MAX, PRICE_MIN, QUANTITY_MAX, SOL_DECIMALS, from_units, plain

SOL_MAX: Final = plain(from_units(QUANTITY_MAX, SOL_DECIMALS))
NAMES_SHOWN: Final = 20
SOL_RANGE: Final = f"must be an amount of SOL that is not negative and at most {SOL_MAX}"
SOL_PLACES: Final = f"has more than {SOL_DECIMALS} decimal places, which is as far as SOL divides"

PRICE_RANGE: Final = f"must be from {plain(PRICE_MIN)} to {plain(PRICE_MAX)} SOL for one whole token"
_FAR_OUT: Final = "is out of range"

# What the core says of a number, which it takes without knowing who asks and in which unit.
_CORE: Final = {
    "is not a decimal number": 'is not a decimal number: send one such as "1.5"',
    "is too long for a number": "is too long for a number: at most 38 digits are taken",
    "must be finite": 'must be a finite number, such as "1.5"',
    "has more than 38 digits": "has too many digits: at most 38 are taken",
    _FAR_OUT: "is far out of range",
    "must be from 1e-18 to 1e18": PRICE_RANGE,
    "must be from 0 to 2^64-1 base units": SOL_RANGE,
    f"has more than {SOL_DECIMALS} decimal places": SOL_PLACES,
}
_QUOTES: Final = str.maketrans("'", '"')
_WANTED: Final = {
    "string": "must be a string",
    "int": "must be a whole number",
    "bool": "must be true or false",
    "list": "must be a list",
    "tuple": "must be a list",
    "decimal": 'must be a decimal number in a string, such as "1.5",',
    "model": "must be an object",
    "dict": "must be an object",
}
"""By the first word of pydantic's types of error that say that a value is of another kind."""


def number_message(message: str, allowed: str) -> str:
    """What the core says of a number, of one for which it is known what is `allowed`."""
    return allowed if message == _FAR_OUT else _CORE.get(message, message)


def message_of(found: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with one place in a body of this model, and what would be right."""
    kind, limits, given = found["type"], found.get("ctx", {}), found["input"]
    match kind:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return _unknown(model, found["loc"])
        case "value_error":
            text = found["msg"].removeprefix("Value error, ")
            return _CORE.get(text, text)
        case "literal_error":
            return f"must be {str(limits.get('expected', '')).translate(_QUOTES)}"
        case "string_pattern_mismatch":
            return "must not contain control characters"
        case "string_unicode":
            return "must be valid Unicode text"
        case "string_too_short" | "too_short" | "string_too_long" | "too_long":
            return _length(kind, limits, given)
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return _bound(limits)
    wanted = _WANTED.get(kind.partition("_")[0])
    if wanted is None:
        return "is not a value that is taken here: see the API's description"
    subject = "the body " if wanted == _WANTED["model"] and not found["loc"] else ""
    return f"{subject}{wanted}{_but(given, wanted)}"


def _length(kind: str, limits: Mapping[str, Any], given: Any) -> str:
    what = "character" if kind.startswith("string") else "entry"
    plural = "characters" if what == "character" else "entries"
    if kind.endswith("short"):
        least = limits["min_length"]
        return f"must have at least {least} {what if least == 1 else plural}"
    return f"has {len(given)} {plural}: at most {limits['max_length']} are taken"


def _bound(limits: Mapping[str, Any]) -> str:
    words = {"gt": "more than", "ge": "at least", "lt": "less than", "le": "at most"}
    return next(
        (f"must be {words[name]} {limits[name]}" for name in words if name in limits), "is out of range"
    )


def _but(given: object, wanted: str) -> str:
    """The kind of JSON that came instead."""
    match given:
        case None:
            kind = "null"
        case bool():
            kind = "true or false"
        case float() if wanted == _WANTED["int"]:
            kind = "one with a point or an exponent"
        case int() | float():
            kind = "a number"
        case str():
            kind = "a string"
        case list() | tuple():
            kind = "a list"
        case _:
            kind = "an object"
    return "" if kind in wanted else f"{'' if wanted.endswith(',') else ','} not {kind}"


def _unknown(model: type[BaseModel], place: tuple[int | str, ...]) -> str:
    """Says which names are known where an unknown one stands."""
    inner: type[BaseModel] | None = model
    for part in place[:-1]:
        if isinstance(part, int) or inner is None:
            continue
        inner = next(
            (
                _model_in(field.annotation)
                for name, field in inner.model_fields.items()
                if part in {name, field.alias}
            ),
            None,
        )
    names = [field.alias or name for name, field in inner.model_fields.items()] if inner else []
    if not names:
        return "is not a field that is known here: this takes none"
    return f"is not a field that is known here: there are {', '.join(names[:NAMES_SHOWN])}"


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that an annotation holds, be it optional or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((model for each in get_args(annotation) if (model := _model_in(each))), None)
