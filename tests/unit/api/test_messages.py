"""What is said of a wrong field: in our words, with what would be right, in the units of the API."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from pydantic import BaseModel

from api.bodies.agents import AgentBody, AgentChange, DepositBody
from api.bodies.base import Nothing, parse
from api.bodies.messages import SOL_MAX, message_of
from api.bodies.prices import PricesBody
from api.bodies.signals import SignalBody
from api.errors import ApiError, Detail

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL_RANGE = f"must be an amount of SOL that is not negative and at most {SOL_MAX}"
SOL_PLACES = "has more than 9 decimal places, which is as far as SOL divides"
PRICE_RANGE = "must be from 0.000000000000000001 to 1000000000000000000 SOL for one whole token"
NO_NUMBER = 'is not a decimal number: send one such as "1.5"'
SIGNAL: dict[str, Any] = {"tokenAddress": MINT, "action": "buy", "score": 4}


def said(model: type[BaseModel], body: Any) -> list[tuple[str, str]]:
    with pytest.raises(ApiError) as caught:
        parse(model, body if isinstance(body, bytes) else json.dumps(body).encode())
    details: list[Detail] = list(caught.value.details or ())
    return [(each.field, each.message) for each in details] or [("", caught.value.message)]


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"tokenAddress": 5}, "tokenAddress", "must be a string, not a number"),
        ({"tokenAddress": None}, "tokenAddress", "must be a string, not null"),
        ({"signalType": "x" * 51}, "signalType", "has 51 characters: at most 50 are taken"),
        ({"signalType": ""}, "signalType", "must have at least 1 character"),
        ({"score": 0}, "score", "must be at least 1"),
        ({"score": 6}, "score", "must be at most 5"),
        ({"score": "4"}, "score", "must be a whole number, not a string"),
        ({"score": True}, "score", "must be a whole number, not true or false"),
        ({"score": 4.0}, "score", "must be a whole number, not one with a point or an exponent"),
        ({"reason": ["x"]}, "reason", "must be a string, not a list"),
        ({"reason": {}}, "reason", "must be a string, not an object"),
        ({"reason": 1.5}, "reason", "must be a string, not a number"),
        ({"agentIds": MINT}, "agentIds", "must be a list, not a string"),
        ({"agentIds": []}, "agentIds", "must have at least 1 entry"),
        ({"agentIds": ["x"] * 1001}, "agentIds", "has 1001 entries: at most 1000 are taken"),
        ({"price": "1e999"}, "price", PRICE_RANGE),
        ({"price": "0"}, "price", PRICE_RANGE),
        ({"price": "x"}, "price", NO_NUMBER),
    ],
)
def test_a_message_says_what_is_wrong_and_what_would_be_right(
    change: dict[str, Any], field: str, message: str
) -> None:
    """Each kind of mistake has a message of its own, which holds nothing of what was sent."""
    assert said(SignalBody, {**SIGNAL, **change}) == [(field, message)]


@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0", "must be more than 0 SOL"),
        ("-1", SOL_RANGE),
        ("18446744073.709551616", SOL_RANGE),
        ("1e400", SOL_RANGE),
        ("1.0000000001", SOL_PLACES),
        ("ten", NO_NUMBER),
        (10, 'must be a decimal number in a string, such as "0.0067"'),
    ],
)
def test_amounts_speak_of_sol(amount: Any, message: str) -> None:
    """What is wrong with an amount is said in SOL, never in lamports or base units."""
    assert said(DepositBody, {"amount": amount}) == [("amount", message)]


@pytest.mark.parametrize(
    ("config", "field", "message"),
    [
        ({"sizing": {"amount": "-1"}}, "sizing.amount", SOL_RANGE),
        ({"sizing": {"amount": "0.0000000001"}}, "sizing.amount", SOL_PLACES),
        ({"sizing": {"amount": "0"}}, "sizing.amount", "must be more than 0"),
        ({"sizing": {"percent": "101"}}, "sizing.percent", "must be at most 100"),
        ({"sizing": {"percent": "Infinity"}}, "sizing.percent", 'must be a finite number, such as "1.5"'),
        ({"sizing": {"percent": "1e99"}}, "sizing.percent", "is far out of range"),
        ({"sizing": {"mode": "all"}}, "sizing.mode", 'must be "fixed" or "percent"'),
        ({"stopLoss": {"percent": "100"}}, "stopLoss.percent", "must be less than 100"),
        ({"stopLoss": {"enabled": "yes"}}, "stopLoss.enabled", "must be true or false, not a string"),
        ({"stopLoss": 5}, "stopLoss", "must be an object, not a number"),
        (
            {"signals": {"allowedSignalTypes": ["a\nb"]}},
            "signals.allowedSignalTypes.0",
            "must not contain control characters",
        ),
        (
            {"stopLoss": {"percentage": "10"}},
            "stopLoss.percentage",
            "is not a field that is known here: there are enabled, percent",
        ),
    ],
)
def test_a_config_is_refused_in_the_same_words(config: Any, field: str, message: str) -> None:
    """The core's own checks of a config are worded for whoever reads an answer."""
    assert said(AgentBody, {"name": "a", "config": config}) == [(f"config.{field}", message)]


def test_an_unknown_field_is_told_which_there_are() -> None:
    """Whoever misspells a name reads the right ones, at whatever depth."""
    known = "tokenAddress, priceSol, source, at, low, high, liquiditySol, decimals"
    reading = {"tokenAddress": MINT, "priceSol": "1", "source": "s", "price": "1"}
    assert said(PricesBody, {"prices": [reading]}) == [
        ("prices.0.price", f"is not a field that is known here: there are {known}")
    ]
    assert said(Nothing, {"a": 1}) == [("a", "is not a field that is known here: this takes none")]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the body is empty: send a JSON object"),
        (b" \n", "the body is empty: send a JSON object"),
        (b'{"name"', "the body is not valid JSON and ends too early: see line 1, column 7"),
        (b"{'name': 1}", "the body is not valid JSON: see line 1, column 2"),
        (b"[]", "the body must be an object, not a list"),
        (b"null", "the body must be an object, not null"),
        (b"NaN", "the body must be an object, not a number"),
    ],
)
def test_a_body_that_is_no_object_is_told_where_it_goes_wrong(data: bytes, message: str) -> None:
    """Malformed JSON names the place, JSON of another kind what it is."""
    assert said(AgentChange, data) == [("", message)]


def test_a_kind_of_error_that_nobody_foresaw_has_a_message_too() -> None:
    """A new version of the library may bring new errors: even then its words reach nobody."""
    unforeseen: Any = {"type": "novel", "loc": ("x",), "msg": "Input should be novel", "input": "secret"}
    assert not re.search("Input|secret", message_of(unforeseen, AgentBody))
