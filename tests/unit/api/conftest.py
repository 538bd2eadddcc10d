"""An API on stubs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from api.app import create_app
from tests.support.client import Client
from tests.unit.api.stubs import Stubs


@pytest.fixture
def stubs() -> Stubs:
    """The parts of the API under test."""
    return Stubs()


@pytest.fixture
async def client(stubs: Stubs) -> AsyncIterator[Client]:
    """A client that may do everything."""
    server = TestServer(create_app(stubs.deps), host="127.0.0.1", skip_url_asserts=True)
    await server.start_server(access_log=None)
    async with ClientSession() as session:
        yield Client(str(server.make_url("")).rstrip("/"), session, "tf_any")
    await server.close()
