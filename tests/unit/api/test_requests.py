"""The frame of a request: method, path, media type, size, ids and parameters."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.support.client import Client
from tests.unit.api.stubs import Stubs

ID = "550e8400-e29b-41d4-a716-446655440000"
SIGNAL = b'{"tokenAddress": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "action": "buy", "score": 4}'


@pytest.mark.parametrize("path", ["/nothing", "/agents/", "/agents/x/y/z", "/%00", "/health/dead"])
async def test_an_unknown_route_is_404(client: Client, path: str) -> None:
    """A path that leads nowhere says so in the API's own form."""
    answer = await client.get(path)
    assert (answer.status, answer.body["code"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize("path", ["/", "/api/v1", "/api/v1/"])
async def test_the_root_tells_where_to_go_on(client: Client, path: str) -> None:
    """Without a key and at the root, a newcomer reads what this is, and every link leads somewhere."""
    client.key = None
    answer = await client.get_at(path)
    assert (answer.status, answer.body["name"], answer.body["version"]) == (200, "Tapefold", "0.1.0")
    found = {name: (await client.get_at(link)).status for name, link in answer.body["links"].items()}
    assert found == dict.fromkeys(["api", "docs", "openapi", "health", "metrics"], 200)


@pytest.mark.parametrize("path", ["/", "/api/v1", "/health", "/api/v1/agents", "/nowhere", "/api/v1/docs"])
async def test_an_answer_ends_its_line(client: Client, path: str) -> None:
    """An answer, be it an error's, leaves a terminal's prompt on a line of its own."""
    answer = await client.get_at(path)
    assert answer.raw.endswith(b"\n")
    assert int(answer.headers["Content-Length"]) == len(answer.raw)


async def test_a_wrong_method_is_405(client: Client) -> None:
    """A path that takes other methods names them."""
    answer = await client.send("PATCH", "/agents")
    assert (answer.status, answer.body["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert {"GET", "POST"} <= set(answer.headers["Allow"].split(", "))


@pytest.mark.parametrize(
    "bad", ["x", "550e8400", ID[:-1] + "g", "%00", "..%2f..", ID + "0", "%ff", "1" * 5000]
)
@pytest.mark.parametrize("path", ["/agents/{}", "/agents/{}/config", "/orders/{}", "/agent-positions/{}"])
async def test_an_id_that_is_no_uuid_is_400(client: Client, path: str, bad: str) -> None:
    """An id in a path is a UUID."""
    answer = await client.get(path.format(bad))
    assert (answer.status, answer.body["code"]) == (400, "INVALID_ID")


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=-1",
        "limit=+5",
        "limit=1_0",
        "limit=%D9%A1",
        "limit=",
        "limit=1e3",
        "limit=" + "9" * 400,
        "offset=-1",
        "offset=x",
        "offset=9999999999999999999999",
        "agentId=x",
        "agentId=%00",
        "walletAddress=%00",
        "walletAddress=",
        "tokenAddress=abc",
        "status=open",
        "startTime=yesterday",
        "startTime=1700000000",
        "agentID=" + ID,
        "%00=1",
    ],
)
async def test_a_wrong_parameter_is_400(client: Client, query: str) -> None:
    """Paging, filters and unknown parameters are checked, and the parameter is named."""
    answer = await client.get(f"/orders?{query}")
    assert (answer.status, answer.body["code"]) == (400, "VALIDATION_ERROR")
    assert answer.body["details"][0]["field"] == query.partition("=")[0].replace("%00", "?")


async def test_every_wrong_parameter_is_listed(client: Client) -> None:
    """One answer names a wrong page and wrong filters alike."""
    answer = await client.get("/orders?limit=0&status=open&foo=1")
    assert [each["field"] for each in answer.body["details"]] == ["limit", "status", "foo"]


async def test_an_unknown_parameter_is_told_which_there_are(client: Client) -> None:
    """A misspelled filter is answered with the right names."""
    answer = await client.get("/agents?mode=live")
    told = "is not a parameter that is known here: there are tradingMode, limit, offset"
    assert answer.body["details"] == [{"field": "mode", "message": told}]


async def test_good_parameters_are_taken(client: Client) -> None:
    """Every filter that is documented works together with paging."""
    query = "limit=1000&offset=5&status=filled&side=buy&startTime=2024-01-15T10:30:00%2B02:00"
    assert (await client.get(f"/orders?{query}&signalId={ID.upper()}")).body == []


async def test_balances_want_an_agent(client: Client) -> None:
    """The list of balances is always one agent's."""
    answer = await client.get("/agent-balances")
    assert (answer.status, answer.body["details"][0]["field"]) == (400, "agentId")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
async def test_a_body_of_another_kind_is_415(client: Client, stubs: Stubs, kind: str) -> None:
    """A body calls itself JSON, or nothing."""
    answer = await client.post("/trading-signals", SIGNAL, Content_Type=kind)
    assert (answer.status, answer.body["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert stubs.intake.taken == []


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"]
)
async def test_json_is_taken_under_its_names(client: Client, kind: str) -> None:
    """Parameters of the media type and +json kinds are fine."""
    assert (await client.post("/trading-signals", SIGNAL, Content_Type=kind)).status == 202


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/trading-signals", 64 * 1024, 202),
        ("/trading-signals", 64 * 1024 + 1, 413),
        ("/trading-signals", 1_000_000, 413),
        ("/prices", 200 * 1024, 202),
        ("/prices", 200 * 1024 + 1, 413),
    ],
)
async def test_an_oversize_body_is_413(
    client: Client, stubs: Stubs, path: str, size: int, status: int
) -> None:
    """Bodies are at most 64 KB, prices 200 KB, to the byte."""
    body = SIGNAL if path != "/prices" else _prices(1)
    answer = await client.post(path, body + b" " * (size - len(body)))
    assert answer.status == status
    if status == 413:
        assert answer.body["code"] == "BODY_TOO_LARGE"
        assert stubs.intake.taken == []


async def test_more_than_a_thousand_readings_are_413(client: Client, stubs: Stubs) -> None:
    """A thousand readings are taken at once, and no more."""
    assert (await client.post("/prices", _prices(1_000))).status == 202
    answer = await client.post("/prices", _prices(1_001))
    assert (answer.status, answer.body["code"]) == (413, "BODY_TOO_LARGE")
    assert len(stubs.intake.taken) == 1


async def test_a_compressed_body_counts_unpacked(client: Client) -> None:
    """A small body that unpacks to a large one is 413; one that is no gzip is 400."""
    bomb = gzip.compress(b" " * 10_000_000)
    assert (await client.post("/trading-signals", bomb, Content_Encoding="gzip")).status == 413
    assert (
        await client.post("/trading-signals", gzip.compress(SIGNAL), Content_Encoding="gzip")
    ).status == 202
    answer = await client.post("/trading-signals", b"no gzip at all", Content_Encoding="gzip")
    assert answer.status == 400


async def test_live_trading_is_refused(client: Client, stubs: Stubs) -> None:
    """Until there is a live venue, no agent is made or turned live."""
    agent: dict[str, Any] = {"name": "a", "tradingMode": "live"}
    for answer in (await client.post("/agents", agent), await client.put(f"/agents/{ID}", agent)):
        assert (answer.status, answer.body["code"]) == (400, "LIVE_UNAVAILABLE")
    assert stubs.intake.taken == []


@pytest.mark.parametrize(
    ("moment", "code"),
    [("2020-01-01T00:00:00Z", "SIGNAL_EXPIRED"), ("2999-01-01T00:00:00Z", "VALIDATION_ERROR")],
)
async def test_a_signal_must_expire_within_a_day(
    client: Client, stubs: Stubs, moment: str, code: str
) -> None:
    """A signal that has expired, or would live more than 24 h, is 400 and binds nothing."""
    body = SIGNAL[:-1] + f', "expiresAt": "{moment}"}}'.encode()
    answer = await client.post("/trading-signals", body, key="k")
    assert (answer.status, answer.body["code"]) == (400, code)
    assert answer.body["details"][0]["field"] == "expiresAt"
    assert stubs.intake.taken == []


async def test_expect_is_answered(client: Client) -> None:
    """100-continue works; any other expectation is 417 in the API's form."""
    assert (await client.post("/trading-signals", SIGNAL, Expect="100-continue")).status == 202
    answer = await client.post("/trading-signals", SIGNAL, Expect="a miracle")
    assert (answer.status, answer.body["code"]) == (417, "EXPECTATION_FAILED")


async def test_head_is_get_without_a_body(client: Client) -> None:
    """What can be got can be asked for its headers."""
    answer = await client.send("HEAD", "/agents")
    assert (answer.status, answer.body) == (200, b"")


def _prices(count: int) -> bytes:
    reading = b'{"tokenAddress":"EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v","priceSol":"1","source":"s"}'
    return b'{"prices":[' + b",".join([reading] * count) + b"]}"
