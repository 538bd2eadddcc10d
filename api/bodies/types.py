"""The kinds of text that bodies are made of, each with its check."""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import Annotated, Any, Final

import base58
from pydantic import AfterValidator, PlainSerializer, PlainValidator, StringConstraints, WithJsonSchema

from api.bodies.messages import PRICE_RANGE, SOL_RANGE, number_message
from api.times import moment_text, parse_moment
from daemon.domain.values import (
    SOL,
    SOL_DECIMALS,
    AgentId,
    Mint,
    Price,
    from_units,
    parse_decimal,
    parse_price,
    plain,
    to_units,
)

MINT_BYTES: Final = 32
UUID_WANTED: Final = "must be a UUID, such as 550e8400-e29b-41d4-a716-446655440000"
MINT_WANTED: Final = "must be a mint address: 32 bytes in base58, which are 32 to 44 characters"
_MINT: Final = re.compile(r"[1-9A-HJ-NP-Za-km-z]{32,44}", re.ASCII)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
# `Decimal` itself would also read "1_000", " 1" and digits of other scripts.
_NUMBER: Final = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?(?P<exponent>\d+))?", re.ASCII)
_EXPONENT_DIGITS_MAX: Final = 3
_NUMBER_LENGTH_MAX: Final = 80
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")


@lru_cache(maxsize=10_000)
def is_mint(text: str) -> bool:
    """Whether the text is base58 of 32 bytes."""
    return _MINT.fullmatch(text) is not None and len(base58.b58decode(text)) == MINT_BYTES


def canonical_uuid(text: str) -> str | None:
    """The UUID in lower case, or None where it is none."""
    lowered = text.lower()
    return lowered if _UUID.fullmatch(lowered) else None


def _line(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    if _CONTROL.search(value):
        raise ValueError("must be one line without control characters")
    return value


def _mint(value: str) -> str:
    if not is_mint(value):
        raise ValueError(MINT_WANTED)
    return value


def _traded_mint(value: str) -> str:
    if _mint(value) == SOL:
        raise ValueError("is SOL itself, which is what everything is paid in: name another token")
    return value


def _number(value: Any) -> Decimal:
    if not isinstance(value, str):
        raise ValueError('must be a decimal number in a string, such as "0.0067"')
    match = _NUMBER.fullmatch(value) if len(value) <= _NUMBER_LENGTH_MAX else None
    if match is None:
        raise ValueError("is not a decimal number")
    if len(match["exponent"] or "") > _EXPONENT_DIGITS_MAX:
        raise ValueError("is out of range")
    return parse_decimal(value)


def _price(value: Any) -> Price:
    if isinstance(value, Price):
        return value
    try:
        return parse_price(str(_number(value)))
    except ValueError as error:
        raise ValueError(number_message(str(error), PRICE_RANGE)) from None


def _lamports(value: Any) -> int:
    try:
        return to_units(_number(value), SOL_DECIMALS)
    except ValueError as error:
        raise ValueError(number_message(str(error), SOL_RANGE)) from None


def _sol_text(lamports: int) -> str:
    return plain(from_units(lamports, SOL_DECIMALS))


def _uuid(value: str) -> str:
    text = canonical_uuid(value)
    if text is None:
        raise ValueError(UUID_WANTED)
    return text


def _schema(text_format: str, example: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "format": text_format, "examples": [example]})


TradedMint = Annotated[
    Mint, AfterValidator(_traded_mint), _schema("mint", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
]
"""A mint that can be bought: any but SOL."""
PriceText = Annotated[
    Price, PlainValidator(_price), PlainSerializer(str, return_type=str), _schema("decimal", "0.0067")
]
"""A price in SOL for one whole token, in JSON a string."""
SolText = Annotated[
    int, PlainValidator(_lamports), PlainSerializer(_sol_text, return_type=str), _schema("decimal", "1.5")
]
"""An amount of SOL with at most 9 decimal places, in JSON a string; lamports inside."""
Moment = Annotated[
    int,
    PlainValidator(parse_moment),
    PlainSerializer(moment_text, return_type=str),
    _schema("date-time", "2026-01-15T10:30:00.000Z"),
]
"""A time, in JSON ISO 8601 with its zone; milliseconds since the epoch inside."""
AgentIdText = Annotated[
    AgentId, AfterValidator(_uuid), _schema("uuid", "550e8400-e29b-41d4-a716-446655440000")
]
Text50 = Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(_line)]
Text100 = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_line)]
Text1000 = Annotated[str, StringConstraints(min_length=1, max_length=1000), AfterValidator(_line)]
