"""Generated requests at every route of the whole daemon: never a 500, and nothing stops."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.routes import ROUTES
from api.routing import Route
from tests.support.client import Answer, Client
from tests.support.served import MINT, Served, serve, trading

SOL = "So11111111111111111111111111111111111111112"
KNOWN = "550e8400-e29b-41d4-a716-446655440000"
EXTREMES: list[Any] = [
    "NaN", "Infinity", "-Infinity", "1e999999", "-1e999999", "1e-999999", "1e9999999999999999999", "-0",
    "0", "-1", "0.0000000001", "18446744073709551616", "1" * 60, "\x00", "a\x00b", "\u202e", "\ud7ff",
    "🚀" * 60, "", " ", None, True, [], {}, 0, -1, 2**63, 2**64, 1.5, "buy", "SELL", "close", MINT, SOL,
    KNOWN, "2020-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-00-00T00:00:00Z",
]  # fmt: skip
RAW = re.compile(
    "[Ii]nput should|should (have|be|match)|base units|lamports|pydantic|Invalid JSON|None|see the API"
)
"""Words of a library's messages, units that nobody sends, and what is said only where nothing is known."""
FIELDS = [
    "tokenAddress", "action", "score", "signalType", "signalStrength", "symbol", "source", "reason",
    "expiresAt", "price", "agentIds", "prices", "priceSol", "at", "low", "high", "liquiditySol", "decimals",
    "name", "tradingMode", "config", "isActive", "paused", "amount", "sizing", "mode", "percent", "stopLoss",
    "enabled", "market", "maxPriceAgeSeconds", "signals", "minStrength", "allowedSignalTypes", "fillModel",
]  # fmt: skip
SIGNALS = [
    {"tokenAddress": MINT, "action": "buy", "score": 4},
    {"tokenAddress": MINT, "signalType": "x", "signalStrength": 1, "agentIds": [KNOWN], "reason": "y"},
]
READING = {
    "tokenAddress": MINT,
    "priceSol": "0.0067",
    "source": "s",
    "low": "0.006",
    "high": "0.007",
    "decimals": 9,
}
CONFIG = {
    "stopLoss": {"enabled": True, "percent": "10"},
    "fillModel": {"slippageBps": 5000},
    "sizing": {"amount": "1"},
}
GOOD: dict[str, list[dict[str, Any]]] = {
    "/trading-signals": SIGNALS,
    "/prices": [{"prices": [READING, READING]}],
    "/agents": [{"name": "a", "tradingMode": "simulation", "config": CONFIG}],
    "/agents/{id}": [{"name": "b", "isActive": False}],
    "/agents/{id}/config": [{"config": CONFIG}, CONFIG],
    "/agents/{id}/deposits": [{"amount": "10"}],
}
"""Bodies that are taken, by path; elsewhere an empty one is."""

leaves = st.sampled_from(EXTREMES) | st.text(max_size=20) | st.integers() | st.floats() | st.booleans()
anything = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), inner)
    ),
    max_leaves=12,
)


@st.composite
def spoiled(draw: st.DrawFn, path: str) -> Any:
    """A good body of which one place, however deep, was replaced, dropped or added."""
    body = json.loads(json.dumps(draw(st.sampled_from(GOOD.get(path, [{}])))))
    place: Any = body
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return body
        key = draw(st.sampled_from(keys))
        inner = place[key]
        if isinstance(inner, (dict, list)) and draw(st.booleans()):
            place = inner
            continue
        match draw(st.sampled_from(["replace", "drop", "add"])):
            case "replace":
                place[key] = draw(anything)
            case "drop":
                del place[key]
            case _ if isinstance(place, dict):
                place[draw(st.sampled_from(FIELDS))] = draw(anything)
            case _:
                place.append(draw(anything))
        return body


def encoded(body: Any) -> bytes:
    """JSON as a careless client writes it: NaN and Infinity bare, surrogates escaped."""
    return json.dumps(body).encode()


malformed = st.sampled_from(
    [b"", b"{", b'{"amount":1e999999}', b'"\\ud800"', b"[" * 3000, b'{"score":' + b"1" * 5000 + b"}"]
)


def bodies(path: str) -> st.SearchStrategy[bytes]:
    """Bodies for a path, from good to hopeless."""
    good = st.sampled_from(GOOD.get(path, [{}])).map(encoded)
    near = spoiled(path).map(encoded)
    return st.one_of(good, near, near, anything.map(encoded), st.binary(max_size=60), malformed)


known_ids = st.sampled_from(["agent", "position", "signal", "unknown"])
LONG = "a" * 9_000
"""Beyond what the server reads of one line."""
ids = st.one_of(known_ids, known_ids, known_ids, st.text(min_size=1, max_size=40) | st.just(LONG))
queries = st.lists(
    st.tuples(
        st.sampled_from(
            ["limit", "offset", "agentId", "tokenAddress", "status", "startTime", "walletAddress", "é"]
        ),
        st.sampled_from([str(each) for each in EXTREMES]) | st.text(max_size=20),
    ),
    max_size=2,
)
header_text = st.text(
    st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=210
)
headers = st.fixed_dictionaries(
    {},
    optional={
        "Idempotency-Key": st.sampled_from(["a", "b", "c"]) | header_text,
        "Prefer": st.just("respond-async") | header_text,
        "Content-Type": st.sampled_from(["application/json"] * 9 + ["text/plain"]),
        "Content-Encoding": st.sampled_from(["identity"] * 9 + ["br"]),
        "X-Else": header_text | st.just(LONG),
    },
)


asked = st.sampled_from(sorted(ROUTES, key=lambda route: not route.writes)).flatmap(
    lambda route: st.tuples(st.just(route), bodies(route.path))
)


class Target:
    """The daemon under fire, with something of each kind in it."""

    def __init__(self, served: Served, client: Client, known: dict[str, str]) -> None:
        self.served = served
        self.client = client
        self.known = known


@pytest.fixture
async def target(database_url: str) -> AsyncIterator[Target]:
    async with serve(database_url, wait_seconds=10.0) as served:
        client = await served.client("admin")
        agent = await trading(client)
        signal = await agent.buy()
        position = (await client.get("/agent-positions")).body[0]["id"]
        yield Target(
            served,
            client,
            {"agent": agent.agent_id, "signal": signal, "position": position, "unknown": KNOWN},
        )


def codes(answer: Answer) -> Iterator[str]:
    if answer.status >= 400:
        yield answer.body["code"]
        assert answer.body["error"]
        assert answer.body["code"] == answer.body["code"].upper()
        told = [answer.body["error"], *(each["message"] for each in answer.body.get("details", ()))]
        assert not any(RAW.search(each) for each in told), told


@pytest.mark.slow
@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(asked=asked, where=ids, query=queries, extra=headers)
async def test_no_request_is_answered_500_or_stops_a_stage(
    target: Target,
    asked: tuple[Route, bytes],
    where: str,
    query: list[tuple[str, str]],
    extra: dict[str, str],
) -> None:
    """Whatever is sent to whichever route is answered below 500 with a stable code; all stages live on."""
    route, body = asked
    found = target.known.get(where, where)
    path = route.path.replace("{id}", quote(found, safe="", errors="replace"))
    if query and not route.writes:
        path += "?" + "&".join(f"{quote(name)}={quote(value, errors='replace')}" for name, value in query)
    given_headers = {name.replace("-", "_"): value.strip() for name, value in extra.items()}
    data = body if route.method in {"POST", "PUT", "DELETE"} else None
    answer = await target.client.send(route.method, path, data, **given_headers)
    assert answer.status < 500, (route.method, path, body, answer)
    assert list(codes(answer)) != [""]
    assert target.served.are_stages_alive()


@pytest.mark.slow
async def test_trading_goes_on_after_a_storm(target: Target) -> None:
    """After many bad requests at once, a good signal still trades."""
    client = target.client
    storm = [
        client.send(route.method, route.path.replace("{id}", where), body)
        for route in ROUTES
        if route.writes
        for where in (target.known["agent"], "x")
        for body in (b"{", b"[]", b'{"amount":"1e999999"}', encoded({"name": "\x00"}), b"\xff" * 100)
    ]
    answers = await asyncio.gather(*storm)
    assert {answer.status // 100 for answer in answers} <= {2, 4}
    await client.post("/agents", {"name": "new"})
    signal = await client.post("/trading-signals", {"tokenAddress": MINT, "action": "buy", "score": 1})
    assert signal.status == 201
    assert target.served.are_stages_alive()
    assert (await client.get("/health")).body["status"] == "healthy"
