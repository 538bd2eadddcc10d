"""What is not valid HTTP, sent over a raw socket: the answer is JSON with a code and quotes nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from api.app import create_app
from tests.support.listening import listening
from tests.unit.api.stubs import Stubs

SECRET = b"tf_a-key-that-nobody-may-see"
GET = b"GET /api/v1/agents HTTP/1.1\r\nHost: x\r\n"
POST = (
    b"POST /api/v1/prices HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nX-API-Key: "
    + SECRET
    + b"\r\n"
)
NO_HTTP = "the request is not valid HTTP"
TOO_LONG = "the request line or a header is too long: at most 8 KB are taken"
ENCODED = "the body's Content-Encoding is not known here: send it plain, gzip or deflate"


@pytest.fixture
async def port(stubs: Stubs) -> AsyncIterator[int]:
    """Where the API listens."""
    async with listening(create_app(stubs.deps)) as port:
        yield port


async def send(port: int, *parts: bytes) -> bytes:
    """Send the parts one by one, and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


def read(answer: bytes) -> tuple[int, bytes, dict[str, str]]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), head, json.loads(body)


@pytest.mark.parametrize(
    ("request_bytes", "status", "told"),
    [
        (GET + b"X-API-Key: " + SECRET + b"\x00\r\n\r\n", 400, NO_HTTP),
        (GET + b"X-API-Key : " + SECRET + b"\r\n\r\n", 400, NO_HTTP),
        (GET + b"X-API-Key: " + SECRET + b"a" * 9_000 + b"\r\n\r\n", 431, TOO_LONG),
        (GET.replace(b"agents", SECRET * 400) + b"\r\n", 431, TOO_LONG),
        (GET.replace(b"/api", b"http://[::1" + SECRET) + b"\r\n", 400, NO_HTTP),
        (GET.replace(b"GET ", SECRET + b" ") + b"\r\n", 400, NO_HTTP),
        (GET.replace(b"Host: x\r\n", b"X-API-Key: " + SECRET + b"\r\n\r\n"), 400, NO_HTTP),
        (POST + b"Content-Encoding: br\r\nContent-Length: 5\r\n\r\nabcde", 400, ENCODED),
        (POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde", 400, NO_HTTP),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nz" + SECRET + b"\r\n", 400, NO_HTTP),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + SECRET, 400, NO_HTTP),
    ],
)
async def test_what_is_no_http_is_answered_by_code(
    port: int, request_bytes: bytes, status: int, told: str
) -> None:
    """A constant JSON body, nothing of the request in answer or log, one line of log and no traceback."""
    with capture_logs() as said:
        answer = await send(port, request_bytes)
    found, head, body = read(answer)
    assert (found, body) == (status, {"error": told, "code": "MALFORMED_REQUEST"})
    assert b"Content-Type: application/json" in head
    assert b"tf_" not in answer
    assert [(each["event"], each["log_level"]) for each in said] == [("not valid HTTP", "info")]
    assert "tf_" not in str(said)
    assert "exc_info" not in said[0]


async def test_a_body_that_breaks_its_encoding_is_the_clients_fault(
    port: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A broken gzip body is 400 with a code, and no error of ours in the log."""
    with capture_logs() as said:
        answer = await send(port, POST + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nabcde")
    status, _, body = read(answer)
    assert (status, body["code"]) == (400, "MALFORMED_BODY")
    assert {each["log_level"] for each in said} <= {"info"}
    assert caplog.records == []


async def test_a_body_that_breaks_off_after_its_start_is_answered_by_code(port: int) -> None:
    """A chunk that goes wrong while its handler waits for it is answered with a code as well."""
    answer = await send(
        port, POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n", b"z" + SECRET + b"\r\n"
    )
    status, _, body = read(answer)
    assert status == 400
    assert body["code"] in {"MALFORMED_BODY", "MALFORMED_REQUEST"}
    assert b"tf_" not in answer


async def test_an_unknown_expectation_on_no_route_is_answered_by_code(port: int) -> None:
    """Aiohttp's own refusal of an `Expect` quotes it; ours does not."""
    nowhere = GET.replace(b"agents", b"nowhere") + b"Connection: close\r\nExpect: " + SECRET + b"\r\n\r\n"
    answer = await send(port, nowhere)
    status, _, body = read(answer)
    assert (status, body["code"]) == (417, "EXPECTATION_FAILED")
    assert b"tf_" not in answer


async def test_what_fails_outside_of_the_middlewares_is_500_with_a_number(stubs: Stubs) -> None:
    """A bug that no middleware sees is answered like any other: with the id it is logged under."""
    app = create_app(stubs.deps)

    async def fail(_request: web.Request) -> web.StreamResponse:
        raise RuntimeError("hunter2")

    app.router.add_get("/broken", fail, expect_handler=fail)
    request = b"GET /broken HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n\r\n"
    async with listening(app) as port:
        with capture_logs() as said:
            answer = await send(port, request)
    status, _, body = read(answer)
    assert (status, body["code"]) == (500, "INTERNAL")
    assert body["requestId"] == said[0]["request_id"]
    assert b"hunter2" not in answer
