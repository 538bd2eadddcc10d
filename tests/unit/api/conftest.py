"""An API on stubs."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession

from api.app import create_app
from tests.support.client import Client
from tests.support.listening import listening
from tests.unit.api.stubs import Stubs


@pytest.fixture
def stubs() -> Stubs:
    """The parts of the API under test."""
    return Stubs()


@pytest.fixture
async def client(stubs: Stubs) -> AsyncIterator[Client]:
    """A client that may do everything."""
    async with listening(create_app(stubs.deps)) as port, ClientSession() as session:
        yield Client(f"http://127.0.0.1:{port}", session, "tf_any")
