"""A run on one machine: `tapefold up` and the Postgres of its home."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from api.identity.keys import Scope
from daemon.database import Database
from ops.home import Home
from ops.postgres import find_binaries, remove_database, use_or_start
from streams.log.embedded import EmbeddedLog
from tests.kill.audit import Audit
from tests.kill.choosing import Chooser
from tests.kill.ending import hold_stored
from tests.kill.moves import MOVES
from tests.kill.run import Plan, Run
from tests.kill.stored import read_tables
from tests.kill.victims import ROOT, Child, Daemon, DidNotStart, free_port


class EmbeddedRun(Run):
    """A fresh home, its daemon, and its postmaster."""

    owners = ("alice", "bob")

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        port = free_port(self.chance.randrange(10_000))
        self.daemon = Daemon(plan.folder, port, plan.launcher)
        self._chooser = Chooser(self.chance, MOVES)

    def remove(self) -> None:
        """Delete the run's home and its database; only after a run that found nothing."""
        home = Home.open(self.daemon.home)
        with home.lock():
            remove_database(home)
        super().remove()

    def _children(self) -> Sequence[Child]:
        return [self.daemon]

    def _bases(self) -> Sequence[str]:
        return [self.daemon.base]

    async def _key(self, owner: str, *scopes: Scope) -> str:
        given = [part for scope in scopes for part in ("--scope", scope)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.cli", "keys", "create", "--home", str(self.daemon.home),
            "--name", f"{owner} kill", "--owner", owner, *given,
            cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        said, _ = await process.communicate()
        if process.returncode:
            raise DidNotStart(f"tapefold keys create ended with {process.returncode}")
        return said.decode().strip()

    async def _begin(self, stack: AsyncExitStack) -> None:
        """Kills during the very first start, then owners, keys and agents."""
        for _ in range(self.plan.first_kills):
            await self.daemon.start()
            await asyncio.sleep(self.chance.uniform(0, 4))
            await self.daemon.kill()
            self._count("first start", 1)
            if self.chance.random() < 0.3 and self.daemon.kill_postgres():
                self._count("first start", 1)
        await self.daemon.start()
        await self.daemon.ready()
        key = self.daemon.home / "admin.key"
        if key.exists():
            self.keys["operator"] = key.read_text(encoding="utf-8").strip()
        else:
            self.result.wrong.append("no admin key was left by the first start")
            self.keys["operator"] = await self._key("operator", "admin")
        await self._make_owners(stack)

    def _next_move(self) -> tuple[str, Callable[[], Awaitable[int]]]:
        move = self._chooser.choose()

        async def make() -> int:
            killed = await move(self.daemon, self.chance)
            await self.daemon.ready()
            return killed

        return move.__name__, make

    async def _read(self, audits: Sequence[Audit]) -> None:
        connection = await self.daemon.connect()
        try:
            for audit in audits:
                stored = await read_tables(connection, audit.tape, len(audit.inputs), audit.records)
                if stored is not None:
                    audit.take(stored)
        finally:
            connection.terminate()

    async def _restart(self) -> None:
        await self.daemon.kill()
        await self.daemon.start()
        await self.daemon.ready()

    async def _end(self) -> None:
        self.daemon.send(signal.SIGTERM)
        code = await self.daemon.end()
        if code != 0:
            self.result.wrong.append(f"the last SIGTERM ended the daemon with code {code}")
        if self.daemon.postmaster() is not None:
            self.result.wrong.append("the daemon ended and left its Postgres running")
        self.audits = self._fresh_audits()
        async with use_or_start(Home.open(self.daemon.home), find_binaries(None)) as dsn:
            await self._look(self.book.answered())
            for audit in self.audits:
                if audit.reached != len(audit.inputs) - 1:
                    audit.wrong.append(f"stopped at {audit.reached} of {len(audit.inputs) - 1}: not drained")
            database = await Database.open(dsn, "tapefold kill suite")
            try:
                log = await EmbeddedLog.open(database)
                try:
                    await hold_stored(log, database, self.audits)
                finally:
                    await log.close()
            finally:
                await database.close()

    async def _abandon(self) -> None:
        await self.daemon.abandon()
