"""The floor of a signal's latency: an empty server's POST and GET, and three commits of the same sizes.

`python -m tests.benchmarks.floor PORT` is that server.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import aiohttp
import asyncpg
import uvloop
from aiohttp import web

from daemon.database import connect
from tests.benchmarks.running import free_port

INPUT_BYTES: Final = 470
ENTRY_BYTES: Final = 2_700
ROWS_BYTES: Final = 4_200
"""What one signal of one agent writes: its input, its entry, its rows."""
ANSWER: Final = {
    "post": {"id": "6f1d3c52-0c58-4d7e-9d5b-7a1c1d5a9b01", "text": "x" * 420},
    "get": [{"id": "6f1d3c52-0c58-4d7e-9d5b-7a1c1d5a9b01", "text": "x" * 950}],
}
_TABLE: Final = "floor"


class Floor:
    """Does what nobody can do without, once a call, and says how long it took."""

    def __init__(self, url: str, session: aiohttp.ClientSession, database: asyncpg.Connection) -> None:
        self._url = url
        self._session = session
        self._database = database
        self._turn = asyncio.Lock()
        self._sizes = [("x" * size) for size in (INPUT_BYTES, ENTRY_BYTES, ROWS_BYTES)]

    async def once(self, body: bytes) -> float:
        """POST, three durable commits one after the other, GET; in seconds."""
        began = time.perf_counter()
        headers = {"Content-Type": "application/json"}
        async with self._session.post(f"{self._url}/post", data=body, headers=headers) as response:
            await response.read()
        async with self._turn:
            for data in self._sizes:
                await self._database.execute(f"INSERT INTO {_TABLE} (data) VALUES ($1)", data)
        async with self._session.get(f"{self._url}/get") as response:
            await response.read()
        return time.perf_counter() - began


@asynccontextmanager
async def floor(dsn: str, session: aiohttp.ClientSession) -> AsyncIterator[Floor]:
    """The empty server in a process of its own, beside a table on the same Postgres."""
    port = free_port()
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.benchmarks.floor", str(port), stdin=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}"
    database = await connect(dsn, "tapefold benchmark floor")
    try:
        await database.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        await database.execute(f"CREATE TABLE {_TABLE} (id bigserial PRIMARY KEY, data text)")
        await _answers(session, url)
        yield Floor(url, session, database)
    finally:
        await database.execute(f"DROP TABLE IF EXISTS {_TABLE}")
        await database.close()
        server.terminate()
        await server.wait()


async def _answers(session: aiohttp.ClientSession, url: str) -> None:
    for _ in range(1_000):
        try:
            async with session.get(f"{url}/get") as response:
                await response.read()
        except aiohttp.ClientError:
            await asyncio.sleep(0.01)
        else:
            return
    raise RuntimeError("the empty server does not answer")


async def _serve(port: int) -> None:
    async def post(request: web.Request) -> web.Response:
        await request.json()
        return web.json_response(ANSWER["post"], status=201)

    async def get(_request: web.Request) -> web.Response:
        return web.json_response(ANSWER["get"])

    app = web.Application()
    app.router.add_post("/post", post)
    app.router.add_get("/get", get)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
