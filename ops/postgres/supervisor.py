"""The embedded Postgres of a daemon: started, watched, restarted in place, stopped."""

from __future__ import annotations

import asyncio
from collections import deque
from pathlib import Path
from typing import Any

import structlog

from ops.errors import StartError
from ops.home import Home
from ops.postgres.binaries import Binaries
from ops.postgres.place import OUTSIDE, find_place
from ops.postgres.postmaster import Postmaster, clear_stale_files, find_postmaster, has_pid_file
from ops.postgres.probe import Answer, ask
from ops.postgres.server import Server, connection_arguments, dsn, prepare

# A server that recovers answers that it does; it is given time, since a recovery cut short begins anew.
START_SECONDS_MAX = 600
# One that says nothing at all for so long while it should start is stopped and started again.
SILENT_SECONDS_MAX = 10
# How long a start is tried again while the dead one's last backends hold its shared memory.
PASSING_SECONDS_MAX = 60

LOOK_SECONDS = 0.1
ASK_SECONDS = 5
ASK_SECONDS_MAX = 10
# A running server is restarted for silence only after so many questions in a row: one may be our own fault,
# when our event loop was held up.
SILENT_ANSWERS_MAX = 3
RESTART_WINDOW_SECONDS = 60


class PostgresGone(Exception):
    """The database died more often than it may be restarted; the daemon has to end."""


class EmbeddedPostgres:
    """The database of one home, for as long as this process runs. The caller holds the home's lock.

    It outlives a kill of this process; the next `start` takes it over.
    """

    def __init__(
        self, home: Home, binaries: Binaries, *, restarts_per_minute: int = 5, outside: Path = OUTSIDE
    ) -> None:
        self._home = home
        self._binaries = binaries
        self._outside = outside
        self._restarts_max = restarts_per_minute
        self._restarts: deque[float] = deque()
        self._changing = asyncio.Lock()
        self._stop_asked = asyncio.Event()
        self._server: Server | None = None
        self._postmaster: Postmaster | None = None
        # Kept over restarts: whoever has the DSN finds the database again.
        self._socket_folder: Path | None = None
        self._is_answering = False

    @property
    def is_answering(self) -> bool:
        """False from a death that was noticed until the restart has succeeded."""
        return self._is_answering

    @property
    def was_adopted(self) -> bool:
        """Whether the running server was started by another process."""
        return self._postmaster is not None and self._postmaster.child is None

    @property
    def pid(self) -> int | None:
        """The running server's process."""
        return self._postmaster.pid if self._postmaster else None

    @property
    def dsn(self) -> str:
        """A URL for asyncpg and SQLAlchemy, the same over all restarts. Holds the password: never log it."""
        server, socket = self._started()
        return dsn(server.place, socket)

    @property
    def connection_arguments(self) -> dict[str, Any]:
        """The same for `asyncpg.connect(**arguments)`."""
        server, socket = self._started()
        return connection_arguments(server.place, socket)

    async def start(self) -> None:
        """Take over a running server or start one; returns when it answers. Raises StartError."""
        if not self._home.is_locked_by_us:
            raise RuntimeError("the home's lock is needed to start its database")
        self._stop_asked.clear()
        async with self._changing:
            await self._bring_up()
        if not self._is_answering:
            raise StartError("stopped while the database was starting")

    async def stop(self) -> None:
        """Stop the server, also one that was taken over; `watch` returns."""
        self._stop_asked.set()
        self._is_answering = False
        async with self._changing:
            if self._postmaster is not None:
                await asyncio.to_thread(self._postmaster.stop_now)
                self._postmaster = None

    async def watch(self) -> None:
        """Restart the server whenever it dies or falls silent, until `stop`. Raises PostgresGone."""
        loop = asyncio.get_running_loop()
        next_question = loop.time() + ASK_SECONDS
        silent = 0
        while not self._stop_asked.is_set():
            postmaster = self._postmaster
            if postmaster is None:
                raise RuntimeError("start the database before watching it")
            alive = postmaster.is_alive()
            if alive and loop.time() >= next_question:
                answer = await ask(self.connection_arguments, ASK_SECONDS_MAX)
                silent = silent + 1 if answer is Answer.SILENT else 0
                next_question = loop.time() + ASK_SECONDS
                if self._server is not None:
                    await asyncio.to_thread(self._server.trim_log)
            if self._stop_asked.is_set():
                return
            if not alive or silent >= SILENT_ANSWERS_MAX:
                await self._restart("died" if not alive else "is silent")
                silent = 0
            await asyncio.sleep(LOOK_SECONDS)

    async def _restart(self, reason: str) -> None:
        self._is_answering = False
        loop = asyncio.get_running_loop()
        log = structlog.get_logger()
        while not self._stop_asked.is_set():
            while self._restarts and self._restarts[0] <= loop.time() - RESTART_WINDOW_SECONDS:
                self._restarts.popleft()
            if len(self._restarts) >= self._restarts_max:
                raise PostgresGone(
                    f"the embedded Postgres {reason}, after {len(self._restarts)} restarts within a minute"
                )
            self._restarts.append(loop.time())
            log.warning("postgres_restarting", reason=reason, restarts=len(self._restarts))
            try:
                async with self._changing:
                    await self._bring_up()
            except StartError as error:
                reason = f"cannot be restarted ({error})"
                await asyncio.sleep(1)
            else:
                log.info("postgres_restarted", pid=self.pid)
                return

    async def _bring_up(self) -> None:
        """Until a server answers: take over the one that runs, or start one."""
        server = self._server = await asyncio.to_thread(self._prepare)
        loop = asyncio.get_running_loop()
        passing_until = loop.time() + PASSING_SECONDS_MAX
        given_up_on = 0
        while not self._stop_asked.is_set():
            since = server.log_size()
            postmaster = await self._found_or_launched(server)
            self._postmaster = postmaster
            answer = await self._first_answer(server, postmaster)
            if answer is Answer.READY:
                self._is_answering = True
                return
            if postmaster.is_alive() and not self._stop_asked.is_set():
                await self._give_up_on(postmaster, answer)
                given_up_on += 1
                if given_up_on == SILENT_ANSWERS_MAX:
                    raise StartError(f"the database in {server.place.folder} does not answer")
            elif postmaster.child is not None:
                failure, may_pass = server.why_it_ended(since)
                if not may_pass or loop.time() > passing_until:
                    raise failure
            await asyncio.sleep(0.1)

    async def _give_up_on(self, postmaster: Postmaster, answer: Answer) -> None:
        """Stop a server that does not answer; one with another password only if it is our own."""
        if answer is not Answer.LOCKED_OUT:
            await asyncio.to_thread(postmaster.stop_now)
            return
        if postmaster.child is not None:
            await asyncio.to_thread(postmaster.stop_now)
        raise StartError(f"the database in {postmaster.data} does not accept the password of its home")

    def _prepare(self) -> Server:
        server = prepare(self._home, self._binaries, self._outside)
        if self._socket_folder is not None:
            return Server(server.place, server.binaries, self._socket_folder)
        return server

    async def _found_or_launched(self, server: Server) -> Postmaster:
        data = server.place.data
        postmaster = find_postmaster(data)
        mine = self._postmaster
        if postmaster is not None:
            if mine is not None and mine.child is not None and mine.pid == postmaster.pid:
                postmaster = mine  # Still our child: it must be waited for when it ends.
            self._socket_folder = postmaster.socket_folder or server.socket_folder
            return postmaster
        self._socket_folder = server.socket_folder
        arguments = connection_arguments(server.place, server.socket_folder)
        # A process that we cannot see, in another container on the same folder, would answer.
        if has_pid_file(data) and await ask(arguments, 2) is Answer.READY:
            raise StartError(
                f"a database answers in {server.place.folder}, but its process cannot be seen from here: "
                "stop it where it runs, perhaps in another container"
            )
        await asyncio.to_thread(clear_stale_files, data, server.socket_folder)
        return await asyncio.to_thread(server.launch)

    async def _first_answer(self, server: Server, postmaster: Postmaster) -> Answer:
        """READY, LOCKED_OUT, or SILENT when it ended, said nothing for long, or we are to stop."""
        loop = asyncio.get_running_loop()
        end = loop.time() + START_SECONDS_MAX
        heard_at = loop.time()
        arguments = connection_arguments(server.place, self._socket_folder or server.socket_folder)
        while not self._stop_asked.is_set() and postmaster.is_alive() and loop.time() < end:
            answer = await ask(arguments, 2)
            if answer in {Answer.READY, Answer.LOCKED_OUT}:
                return answer
            if answer is Answer.ALIVE:
                heard_at = loop.time()
            elif loop.time() - heard_at > SILENT_SECONDS_MAX:
                break
            await asyncio.sleep(0.02)
        return Answer.SILENT

    def _started(self) -> tuple[Server, Path]:
        if self._server is None or self._socket_folder is None:
            raise RuntimeError("the database has not been started")
        return self._server, self._socket_folder


async def running_dsn(home: Home) -> str | None:
    """The DSN of the home's database if it runs and answers; changes nothing."""
    place = find_place(home)
    postmaster = find_postmaster(place.data) if place else None
    if place is None or postmaster is None or postmaster.socket_folder is None:
        return None
    if await ask(connection_arguments(place, postmaster.socket_folder), 5) is not Answer.READY:
        return None
    return dsn(place, postmaster.socket_folder)
