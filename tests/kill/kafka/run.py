"""A run on Kafka: four tapes, two workers, a projector, two APIs, a broker and a Postgres."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from aiokafka.errors import KafkaError

from api.identity import keys
from api.identity.keys import Scope
from daemon.database import Database
from daemon.domain.values import Owner
from projections.progress import list_progress
from streams.log.kafka import KafkaLog
from tests.kill.asks import Answered
from tests.kill.audit import Audit
from tests.kill.choosing import Chooser, Moves
from tests.kill.ending import hold_stored
from tests.kill.kafka.cluster import TAPES, Cluster
from tests.kill.kafka.moves import MOVES
from tests.kill.kafka.reading import Reader
from tests.kill.run import Plan, Run
from tests.kill.victims import Child
from tests.support.kafka.kit import Kit

GO_ON_SECONDS_MAX: Final = 45.0
"""How long after a fault a tape may stand still, or read models may be behind."""
OWN_INPUT: Final = "TimePassed"


class KafkaRun(Run):
    """A cluster under load and faults. Its owners live on all four tapes."""

    owners = ("alice", "bob", "erin", "frank")

    def __init__(
        self, plan: Plan, kit: Kit, moves: Moves[Cluster] = MOVES, *, hold_epochs: bool = True
    ) -> None:
        """Without holding epochs a broken fence is not seen by itself, only by what it leads to."""
        super().__init__(plan, TAPES)
        self.cluster = Cluster(kit, plan.folder, self.chance, plan.launcher)
        self.stalls: list[float] = []
        """After each move, how long it took until every tape had decided all that was on it then."""
        self._hold_epochs = hold_epochs
        self._chooser = Chooser(self.chance, moves)
        self._reader: Reader | None = None

    def _children(self) -> Sequence[Child]:
        return self.cluster.children

    def _bases(self) -> Sequence[str]:
        return self.cluster.bases

    async def _key(self, owner: str, *scopes: Scope) -> str:
        database = await Database.open(self.cluster.postgres.url(), "tapefold kill suite", connections_max=1)
        try:
            made = await keys.create(database.pool, name="kill", scopes=scopes, owner=Owner(owner))
        finally:
            await database.close()
        return made.text

    async def _begin(self, stack: AsyncExitStack) -> None:
        await self.cluster.start()
        self.keys["operator"] = await self._key("operator", "admin")
        await self._make_owners(stack)

    def _next_move(self) -> tuple[str, Callable[[], Awaitable[int]]]:
        move = self._chooser.choose()

        async def make() -> int:
            killed = await move(self.cluster, self.chance)
            await self.cluster.ready()
            return killed

        return move.__name__, make

    async def _look(self, acknowledged: Answered) -> None:
        """Beside what must hold: every tape goes on, and all read models come along."""
        await super()._look(acknowledged)
        began = time.monotonic()
        heads = [len(each.inputs) - 1 for each in self.audits]
        while any(each.reached < head for each, head in zip(self.audits, heads, strict=True)):
            if self._wrong():
                return
            if time.monotonic() - began > GO_ON_SECONDS_MAX:
                reached = [each.reached for each in self.audits]
                self.result.wrong.append(f"stands still: tapes have reached {reached} of {heads}")
                return
            await asyncio.sleep(0.1)
            await super()._look(acknowledged)
        self.stalls.append(time.monotonic() - began)

    async def _read(self, audits: Sequence[Audit]) -> None:
        if self._reader is None:
            self._reader = Reader(self.cluster.brokers, self.tapes, hold_epochs=self._hold_epochs)
            await self._reader.start()
        try:
            stored = await self._reader.read()
        except (KafkaError, OSError) as error:
            self.result.wrong.append(f"cannot read Kafka: {error!r}")
            return
        for audit in audits:
            audit.take(stored[audit.tape])
        self.result.wrong += self._reader.wrong
        self._reader.wrong.clear()

    def _fresh_audits(self) -> list[Audit]:
        self._reader = None
        return super()._fresh_audits()

    async def _restart(self) -> None:
        await self._close_reader()
        for child in self.cluster.workers:
            await child.kill()
            await child.start()
        await self.cluster.ready()

    async def _end(self) -> None:
        """APIs first; the workers decide what is left, the projector shows it."""
        for child in self.cluster.apis:
            await self.cluster.hand_over(child)
        await self._look(self.book.answered())
        for child in self.cluster.workers:
            await self.cluster.hand_over(child)
        await self._close_reader()
        self.audits = self._fresh_audits()
        # Without the check that tapes go on: nobody decides any more.
        await super()._look(self.book.answered())
        for audit in self.audits:
            left = {each.command["type"] for each in audit.inputs[audit.reached + 1 :]}
            if left - {OWN_INPUT}:
                audit.wrong.append(f"stopped at {audit.reached} of {len(audit.inputs) - 1}: not drained")
        database = await Database.open(self.cluster.postgres.url(), "tapefold kill suite")
        try:
            await self._projected(database)
            await self.cluster.hand_over(self.cluster.projector)
            log = await KafkaLog.open(self.cluster.brokers, database, self.tapes)
            try:
                await hold_stored(log, database, self.audits)
            finally:
                await log.close()
        finally:
            await database.close()

    async def _projected(self, database: Database) -> None:
        """Return when the projector has come to the end."""
        until = time.monotonic() + GO_ON_SECONDS_MAX
        while True:
            shown = {row.tape: row.tape_offset for row in await list_progress(database.pool)}
            if all(shown.get(each.tape, -1) >= each.reached for each in self.audits):
                return
            if time.monotonic() > until:
                self.result.wrong.append(f"the read models stand at {shown}")
                return
            await asyncio.sleep(0.05)

    async def _close_reader(self) -> None:
        if self._reader is not None:
            await self._reader.stop()
            self._reader = None

    async def _abandon(self) -> None:
        await self._close_reader()
        await self.cluster.abandon()
