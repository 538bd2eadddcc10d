"""What bodies are taken, and what is said of those that are not."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest
from pydantic import BaseModel

from api.bodies.agents import AgentBody, AgentChange, DepositBody, parse_config
from api.bodies.base import Nothing, canonical, parse
from api.bodies.prices import PricesBody
from api.bodies.signals import SignalBody
from api.errors import ApiError
from daemon.domain.values import SOL

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
AGENT = "550e8400-e29b-41d4-a716-446655440000"
SIGNAL: dict[str, Any] = {"tokenAddress": MINT, "action": "buy", "score": 4}
READING: dict[str, Any] = {"tokenAddress": MINT, "priceSol": "0.0067", "source": "test"}


def refused(model: type[BaseModel], body: Any) -> ApiError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    with pytest.raises(ApiError) as caught:
        parse(model, data)
    return caught.value


def fields(error: ApiError) -> set[str]:
    return {detail.field for detail in error.details or ()}


def test_a_signal_is_taken_in_the_spelling_of_the_overview() -> None:
    """`action` and `score` make a signal whose type is the action."""
    body = parse(SignalBody, json.dumps(SIGNAL).encode())
    assert (body.token_address, body.kind, body.strength) == (MINT, "buy", 4)


def test_a_signal_is_taken_in_the_other_spelling() -> None:
    """`signalType`, `signalStrength` and `activationReason` say the same."""
    text = json.dumps(
        {"tokenAddress": MINT, "signalType": "breakout", "signalStrength": 2, "activationReason": "why"}
    )
    body = parse(SignalBody, text.encode())
    assert (body.kind, body.strength, body.why) == ("breakout", 2, "why")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tokenAddress": SOL}, "tokenAddress"),
        ({"tokenAddress": "abc"}, "tokenAddress"),
        ({"tokenAddress": MINT + " "}, "tokenAddress"),
        ({"tokenAddress": MINT[:-1] + "0"}, "tokenAddress"),
        ({"tokenAddress": "1" * 44}, "tokenAddress"),
        ({"tokenAddress": 5}, "tokenAddress"),
        ({"tokenAddress": None}, "tokenAddress"),
        ({"action": "sell"}, "action"),
        ({"action": "CLOSE"}, "action"),
        ({"action": "hold"}, "action"),
        ({"signalType": "SELL"}, "signalType"),
        ({"signalType": " close "}, "signalType"),
        ({"signalType": ""}, "signalType"),
        ({"signalType": "x" * 51}, "signalType"),
        ({"action": None}, "action"),
        ({"score": 0}, "score"),
        ({"score": 6}, "score"),
        ({"score": 4.0}, "score"),
        ({"score": "4"}, "score"),
        ({"score": True}, "score"),
        ({"score": None}, "score"),
        ({"signalStrength": 3}, "score"),
        ({"reason": "a", "activationReason": "b"}, "reason"),
        ({"reason": "a\u0000b"}, "reason"),
        ({"symbol": "a\nb"}, "symbol"),
        ({"symbol": "a\u0085b"}, "symbol"),
        ({"source": " "}, "source"),
        ({"price": 1.5}, "price"),
        ({"price": "NaN"}, "price"),
        ({"price": "Infinity"}, "price"),
        ({"price": "-1"}, "price"),
        ({"price": "0"}, "price"),
        ({"price": "1e999999"}, "price"),
        ({"price": "1e999999999999999999"}, "price"),
        ({"price": "1_000"}, "price"),
        ({"price": " 1"}, "price"),
        ({"price": "\u0661"}, "price"),
        ({"price": "1" * 81}, "price"),
        ({"price": "0." + "1" * 39}, "price"),
        ({"expiresAt": 1_800_000_000}, "expiresAt"),
        ({"expiresAt": "2030-01-01T00:00:00"}, "expiresAt"),
        ({"expiresAt": "2030-02-30T00:00:00Z"}, "expiresAt"),
        ({"expiresAt": "0001-01-01T00:00:00+14:00"}, "expiresAt"),
        ({"expiresAt": "9999-12-31T23:59:59-14:00"}, "expiresAt"),
        ({"agentIds": []}, "agentIds"),
        ({"agentIds": [AGENT, AGENT.upper()]}, "agentIds"),
        ({"agentIds": ["x"]}, "agentIds.0"),
        ({"agentIds": AGENT}, "agentIds"),
        ({"unknown": 1}, "unknown"),
        ({"token_address": MINT}, "token_address"),
    ],
)
def test_a_wrong_field_of_a_signal_is_named(change: dict[str, Any], field: str) -> None:
    """What is wrong with a signal is a 400 that names the field, and no other."""
    error = refused(SignalBody, {**SIGNAL, **change})
    assert (error.status, error.code) == (400, "VALIDATION_ERROR")
    assert fields(error) == {field}


def test_every_wrong_field_is_listed() -> None:
    """One answer names all fields that are wrong."""
    error = refused(SignalBody, {"tokenAddress": "x", "action": "sell", "score": 9, "more": 1})
    assert fields(error) == {"tokenAddress", "action", "score", "more"}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{'a': 1}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"a": 1}x',
        b'{"tokenAddress": "\\ud800"}',
        b'{"score": ' + b"9" * 5000 + b"}",
        b"[" * 10_000,
        b'{"a":' * 5_000,
    ],
)
def test_what_is_no_json_is_said_to_be_none(data: bytes) -> None:
    """Malformed JSON, lone surrogates and bottomless nesting are 400 MALFORMED_JSON."""
    error = refused(SignalBody, data)
    assert (error.status, error.code) == (400, "MALFORMED_JSON")


@pytest.mark.parametrize("data", [b"[]", b"1", b'"x"', b"null", b"NaN"])
def test_a_body_must_be_an_object(data: bytes) -> None:
    """JSON of another kind is a validation error."""
    assert refused(SignalBody, data).code == "VALIDATION_ERROR"


def test_of_a_name_given_twice_the_last_counts() -> None:
    """Duplicate keys do not stop a body; the last value is the one that is checked and used."""
    data = b'{"tokenAddress": "' + MINT.encode() + b'", "action": "buy", "score": 9, "score": 2}'
    assert parse(SignalBody, data).strength == 2


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"tokenAddress": SOL}, "prices.0.tokenAddress"),
        ({"priceSol": 0.0067}, "prices.0.priceSol"),
        ({"priceSol": "1e-19"}, "prices.0.priceSol"),
        ({"priceSol": "1000000000000000001"}, "prices.0.priceSol"),
        ({"low": "0.0068"}, "prices.0.low"),
        ({"high": "0.0066"}, "prices.0.high"),
        ({"liquiditySol": "1.0000000001"}, "prices.0.liquiditySol"),
        ({"liquiditySol": "-1"}, "prices.0.liquiditySol"),
        ({"liquiditySol": "18446744073.709551616"}, "prices.0.liquiditySol"),
        ({"decimals": 19}, "prices.0.decimals"),
        ({"decimals": -1}, "prices.0.decimals"),
        ({"decimals": "6"}, "prices.0.decimals"),
        ({"source": ""}, "prices.0.source"),
        ({"at": "yesterday"}, "prices.0.at"),
    ],
)
def test_a_wrong_field_of_a_reading_is_named(change: dict[str, Any], field: str) -> None:
    """What is wrong with a reading names its place in the list and its field."""
    assert fields(refused(PricesBody, {"prices": [{**READING, **change}]})) == {field}


def test_a_reading_keeps_every_digit() -> None:
    """A price goes onto the tape exactly as it was written, through no float."""
    price = "0.12345678901234567890123456789012345678"
    body = parse(PricesBody, json.dumps({"prices": [{**READING, "priceSol": price}]}).encode())
    assert body.prices[0].reading().price == Decimal(price)


def test_no_readings_are_refused() -> None:
    """An empty list of prices says nothing."""
    assert fields(refused(PricesBody, {"prices": []})) == {"prices"}


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "0.0",
        "-1",
        "1.0000000001",
        "18446744073.709551616",
        "1e400",
        "1e9999",
        "",
        "x",
        10,
        1.5,
        None,
        True,
    ],
)
def test_an_impossible_deposit_is_refused(amount: Any) -> None:
    """A deposit is more than 0, has at most 9 decimal places, fits 2^64 − 1 lamports and is a string."""
    assert fields(refused(DepositBody, {"amount": amount})) == {"amount"}


def test_a_deposit_is_exact() -> None:
    """An amount of SOL becomes lamports without rounding."""
    assert parse(DepositBody, b'{"amount": "18446744073.709551615"}').amount == 2**64 - 1


def test_a_change_must_change_something() -> None:
    """An empty update is refused, as is one that contradicts itself."""
    assert fields(refused(AgentChange, {})) == {"name"}
    assert fields(refused(AgentChange, {"name": None})) == {"name"}
    assert fields(refused(AgentChange, {"paused": True, "isActive": True})) == {"paused"}


@pytest.mark.parametrize(
    ("body", "paused"),
    [
        ({"isActive": False}, True),
        ({"isActive": True}, False),
        ({"paused": True, "isActive": False}, True),
        ({"automatedTradingSimulation": False}, True),
        ({"name": "x"}, None),
    ],
)
def test_active_is_not_paused(body: dict[str, Any], paused: bool | None) -> None:
    """All spellings of the switch mean the same."""
    assert parse(AgentChange, json.dumps(body).encode()).wants_pause() is paused


@pytest.mark.parametrize("name", ["", " ", "a\tb", "x" * 101, None, 5])
def test_an_agent_needs_a_name(name: Any) -> None:
    """A name is 1 to 100 characters, not blank, on one line."""
    assert fields(refused(AgentBody, {"name": name})) == {"name"}


def test_an_agents_config_is_checked_with_it() -> None:
    """A wrong config key is named with its path."""
    error = refused(AgentBody, {"name": "a", "config": {"stopLoss": {"percent": "100"}, "x": 1}})
    assert fields(error) == {"config.stopLoss.percent", "config.x"}


@pytest.mark.parametrize(
    "data", [b'{"stopLoss": {"enabled": true}}', b'{"config": {"stopLoss": {"enabled": true}}}']
)
def test_a_config_comes_bare_or_wrapped(data: bytes) -> None:
    """Both forms of a config mean the same, to an idempotency key too."""
    assert canonical(parse_config(data)) == {"stopLoss": {"enabled": True}}


def test_a_config_of_null_asks_for_the_defaults() -> None:
    """`{"config": null}` gives no key."""
    assert canonical(parse_config(b'{"config": null}')) == {}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"config": 5}', "VALIDATION_ERROR"),
        (b'{"config": {}, "more": 1}', "VALIDATION_ERROR"),
        (b'{"sizing": {"amount": "1e9999999999"}}', "VALIDATION_ERROR"),
        (b'{"sizing": {"amount": 1}}', "VALIDATION_ERROR"),
        (b'{"sizing": {"amount": NaN}}', "VALIDATION_ERROR"),
        (b'{"sizing": {"percent": 1e999999}}', "VALIDATION_ERROR"),
        (b'{"config": {"sizing": {"percent": "0"}}}', "VALIDATION_ERROR"),
        (b"[]", "VALIDATION_ERROR"),
        (b"", "MALFORMED_JSON"),
        (b'{"config": {}', "MALFORMED_JSON"),
    ],
)
def test_a_wrong_config_is_refused(data: bytes, code: str) -> None:
    """No config, however far out, gets past its checks or breaks them."""
    with pytest.raises(ApiError) as caught:
        parse_config(data)
    assert (caught.value.status, caught.value.code) == (400, code)


def test_the_canonical_body_is_what_was_sent() -> None:
    """An idempotency key binds the fields that were given, in one form, and no default."""
    sent = {
        "tokenAddress": MINT,
        "action": "buy",
        "score": 4,
        "price": "1.50",
        "expiresAt": "2030-01-01T02:00:00+02:00",
    }
    assert canonical(parse(SignalBody, json.dumps(sent).encode())) == {
        "tokenAddress": MINT,
        "action": "buy",
        "score": 4,
        "price": "1.5",
        "expiresAt": "2030-01-01T00:00:00.000Z",
    }


def test_a_body_of_nothing_takes_nothing() -> None:
    """Where the path says it all, a field is refused."""
    assert fields(refused(Nothing, {"a": 1})) == {"a"}
