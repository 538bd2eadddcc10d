"""The API's description of itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from api.routes import ROUTES
from tests.support.client import Client


def refs(found: Any) -> Iterator[str]:
    match found:
        case dict():
            for name, value in found.items():
                if name == "$ref":
                    yield value
                else:
                    yield from refs(value)
        case list():
            for each in found:
                yield from refs(each)


async def test_every_route_is_described(client: Client) -> None:
    """OpenAPI 3.1 holds each route with its body, and no reference leads nowhere."""
    described = (await client.get("/openapi.json")).body
    assert described["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = described["paths"]["/api/v1" + route.path][route.method.lower()]
        assert ("requestBody" in operation) == (route.body is not None)
        assert ("security" in operation) == (route.scope is not None)
    schemas = described["components"]["schemas"]
    assert {ref.removeprefix("#/components/schemas/") for ref in refs(described)} <= set(schemas)
    operations = [each["operationId"] for path in described["paths"].values() for each in path.values()]
    assert len(set(operations)) == len(operations)


async def test_the_description_names_the_fields_of_the_wire(client: Client) -> None:
    """Bodies and answers are described in the spelling that is sent."""
    schemas = (await client.get("/openapi.json")).body["components"]["schemas"]
    assert {"tokenAddress", "signalStrength", "agentIds"} <= set(schemas["SignalBody"]["properties"])
    assert schemas["SignalBody"]["additionalProperties"] is False
    assert {"tokenSymbol", "lastUpdated", "priceSol"} <= set(schemas["BalanceAnswer"]["properties"])


async def test_the_page_loads_nothing_from_elsewhere(client: Client) -> None:
    """The page of the description is one document under a policy that allows nothing else."""
    answer = await client.get("/docs")
    assert answer.status == 200
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    text = answer.body.decode()
    assert "/api/v1/trading-signals" in text
    assert "src=" not in text
    assert "http" not in text.partition("<body")[0].partition("<h1")[0]
