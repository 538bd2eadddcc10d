"""A pooler that shares sessions is noticed at the start: behind one, locks and LISTEN fail silently."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from daemon.database import Database, DatabaseRefused
from tests.support.postgres import Server

READY = b"Z\x00\x00\x00\x05I"
STARTUP_BYTES = 4


class Pooler:
    """The least of a pooler in transaction mode: all clients share one session, by turns.

    A client gets it with its first message and loses it when the server says that no transaction is open.
    What the server sends to nobody's turn, such as a notification, is lost.
    """

    def __init__(self, behind: str) -> None:
        self._behind = behind
        self._turn = asyncio.Lock()
        self._greeting = b""
        self._server: asyncio.StreamWriter | None = None
        self._client: asyncio.StreamWriter | None = None
        self._relaying: asyncio.Task[None] | None = None

    async def serve(self, client: asyncio.StreamReader, answer: asyncio.StreamWriter) -> None:
        try:
            size = int.from_bytes(await client.readexactly(STARTUP_BYTES), "big")
            server = await self._connected(await client.readexactly(size - STARTUP_BYTES))
            answer.write(self._greeting)
            while (message := await self._message(client))[:1] != b"X":
                if self._client is not answer:
                    await self._turn.acquire()
                    self._client = answer
                server.write(message)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            answer.close()

    async def close(self) -> None:
        if self._relaying is not None and self._server is not None:
            self._server.close()
            self._relaying.cancel()
            await asyncio.wait([self._relaying])

    async def _connected(self, startup: bytes) -> asyncio.StreamWriter:
        async with self._turn:
            if self._server is None:
                session, self._server = await asyncio.open_unix_connection(self._behind)
                self._server.write((len(startup) + STARTUP_BYTES).to_bytes(4, "big") + startup)
                while not self._greeting.endswith(READY):
                    self._greeting += await self._message(session)
                self._relaying = asyncio.create_task(self._relay(session))
            return self._server

    async def _relay(self, session: asyncio.StreamReader) -> None:
        while True:
            message = await self._message(session)
            if self._client is not None:
                self._client.write(message)
                if message == READY:
                    self._client = None
                    self._turn.release()

    @staticmethod
    async def _message(stream: asyncio.StreamReader) -> bytes:
        head = await stream.readexactly(5)
        return head + await stream.readexactly(int.from_bytes(head[1:], "big") - 4)


@asynccontextmanager
async def pooler(server: Server, folder: Path) -> AsyncIterator[str]:
    made = Pooler(f"{server.socket_folder}/.s.PGSQL.5432")
    listening = await asyncio.start_unix_server(made.serve, folder / ".s.PGSQL.5432")
    try:
        yield f"postgresql://postgres@/postgres?host={folder}"
    finally:
        listening.close()
        await made.close()


async def test_a_pooler_in_transaction_mode_is_refused(own_server: Server, tmp_path: Path) -> None:
    """A DSN that leads to a pooler which shares sessions is refused with one line that says so."""
    async with pooler(own_server, tmp_path) as url:
        with pytest.raises(DatabaseRefused, match="behind a pooler"):
            await Database.open(url, "test")
