"""One run: a fresh home, posters, kills, and what must hold after each of them and at the end."""

from __future__ import annotations

import asyncio
import random
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from ops.home import Home
from ops.postgres import remove_database
from tests.kill.asks import Answered, Book
from tests.kill.audit import Audit
from tests.kill.ending import hold_finally, still_trades, tell_again
from tests.kill.moves import Chooser, WrongExit
from tests.kill.posters import Poster, Sender, closes, commands, newcomers, posting, prices, signals
from tests.kill.victims import ROOT, Daemon, DidNotStart, free_port

OWNERS: Final = ("alice", "bob")
AGENTS_EACH: Final = 3
LAST_ANSWER_SECONDS_MAX: Final = 60.0
QUIET_SECONDS_MAX: Final = 180.0
"""For what is done while nobody kills: in the beginning and at the end."""
WRONG_SHOWN: Final = 20


@dataclass(frozen=True)
class Plan:
    """What a run shall do."""

    seed: str
    kills: int
    folder: Path
    seconds_between: tuple[float, float] = (0.3, 2.5)
    launcher: Sequence[str] = ("ops.cli",)
    first_kills: int = 2
    """Of the very first start."""
    say: Callable[[str], None] = print


@dataclass
class Result:
    """What a run found."""

    seed: str
    kills: int = 0
    moves: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    acknowledged: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    retried: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    inputs: int = 0
    copies: int = 0
    decisions: int = 0
    fills: int = 0
    lives: int = 0
    seconds: float = 0.0
    last_move: str = ""


class Run:
    """A run under way."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.result = Result(plan.seed)
        self.book = Book()
        self.audit = Audit()
        self.chance = random.Random(f"{plan.seed} moves")
        plan.folder.mkdir(parents=True)
        port = free_port(self.chance.randrange(10_000))
        self.daemon = Daemon(plan.folder, port, plan.launcher)
        self.keys: dict[str, str] = {}
        self.agents: dict[str, tuple[str, ...]] = {}

    async def run(self) -> Result:
        """Do all of it. What is wrong is in the result, never raised."""
        began = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self.daemon.abandon)
                async with asyncio.timeout(QUIET_SECONDS_MAX):
                    await self._begin(stack)
                await self._kill_under_load(stack)
                if self._wrong():
                    await self._read_again()
                else:
                    self.result.last_move = "none, at the end"
                    async with asyncio.timeout(QUIET_SECONDS_MAX):
                        await self._finish(stack)
        except TimeoutError:
            self.result.wrong.append(
                f"no end: see {self.daemon.errors.name}; last move: {self.result.last_move}"
            )
        except (DidNotStart, WrongExit, asyncpg.PostgresError) as error:
            self.result.wrong.append(f"{type(error).__name__}: {error}")
        self._sum_up(began)
        return self.result

    def remove(self) -> None:
        """Delete the run's home and its database; only after a run that found nothing."""
        home = Home.open(self.daemon.home)
        with home.lock():
            remove_database(home)
        shutil.rmtree(self.plan.folder)

    # --- before ------------------------------------------------------------------------------------------

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
        for owner in (*OWNERS, "carol"):
            self.keys[owner] = await self._key(owner, "read", "signals", "trade")
        for owner in OWNERS:
            maker = self._poster("setup", owner, stack, signals(()))
            self.agents[owner] = await self._make_agents(maker)

    async def _key(self, owner: str, *scopes: str) -> str:
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

    async def _make_agents(self, maker: Poster) -> tuple[str, ...]:
        made = []
        for number in range(AGENTS_EACH):
            ask = maker.ask("create", "POST", "/agents", {"name": f"agent {number}"})
            await maker.sender.deliver(ask)
            made.append(ask.id)
            money = maker.ask("deposit", "POST", f"/agents/{ask.id}/deposits", {"amount": "50"})
            await maker.sender.deliver(money)
        return tuple(made)

    def _poster(self, name: str, owner: str, stack: AsyncExitStack, make: Any) -> Poster:
        chance = random.Random(f"{self.plan.seed} sender {name} {owner}")
        sender = Sender(self.daemon.base, owner, self.keys[owner], self.book, chance)
        stack.push_async_callback(sender.close)
        return Poster(f"{name}-{owner}", sender, self.book, self.plan.seed, make)

    def _posters(self, stack: AsyncExitStack) -> list[Poster]:
        alice, bob = (self.agents[owner] for owner in OWNERS)
        return [
            self._poster("signals-1", "alice", stack, signals(alice)),
            self._poster("signals-2", "alice", stack, signals(alice)),
            self._poster("signals", "bob", stack, signals(bob)),
            self._poster("prices", "operator", stack, prices()),
            self._poster("commands", "alice", stack, commands(alice)),
            self._poster("commands", "bob", stack, commands(bob)),
            self._poster("closes", "alice", stack, closes()),
            self._poster("closes", "bob", stack, closes()),
            self._poster("newcomers", "carol", stack, newcomers()),
        ]

    # --- under load --------------------------------------------------------------------------------------

    async def _kill_under_load(self, stack: AsyncExitStack) -> None:
        chooser = Chooser(self.chance)
        async with posting(self._posters(stack), LAST_ANSWER_SECONDS_MAX, self.book):
            while self.result.kills < self.plan.kills and not self._wrong():
                await self._load_for(self.chance.uniform(*self.plan.seconds_between))
                move = chooser.choose()
                self.result.last_move = f"{move.__name__}, after {self.result.kills} kills"
                acknowledged = self.book.answered()
                self._count(move.__name__, await move(self.daemon, self.chance))
                await self.daemon.ready()
                await self._look(acknowledged)
                self.plan.say(
                    f"  {self.result.kills:4} kills  {move.__name__:17} {len(self.book.acknowledged):6}"
                    f" acknowledged  {len(self.audit.inputs):6} inputs  {self.audit.copies:4} copies"
                )
        await self._look(self.book.answered())

    async def _load_for(self, seconds: float) -> None:
        """Let the posters post; nobody kills the daemon now, so it must not end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if not self.daemon.is_running:
                self.result.wrong.append(f"the daemon ended by itself: see {self.daemon.errors.name}")
                return
            await asyncio.sleep(0.05)

    async def _look(self, acknowledged: Answered) -> None:
        """What must hold at any moment. What was acknowledged before a kill is looked for after it."""
        connection = await self.daemon.connect()
        try:
            await self.audit.read(connection)
        finally:
            connection.terminate()
        self.audit.hold_to(acknowledged)

    async def _read_again(self) -> None:
        """What is wrong is not a matter of a moment: read all from the first byte, after another start."""
        await self.daemon.kill()
        await self.daemon.start()
        await self.daemon.ready()
        found, self.audit = self.audit, Audit()
        await self._look(self.book.answered())
        self.audit.wrong = [*found.wrong, *(f"read again: {each}" for each in self.audit.wrong)]

    def _count(self, move: str, kills: int) -> None:
        self.result.kills += kills
        self.result.moves[move] += 1

    def _wrong(self) -> list[str]:
        return [*self.result.wrong, *self.audit.wrong, *self.book.wrong]

    # --- after -------------------------------------------------------------------------------------------

    async def _finish(self, stack: AsyncExitStack) -> None:
        again = {owner: self._poster("again", owner, stack, signals(())) for owner in self.keys}
        await tell_again({owner: each.sender for owner, each in again.items()}, self.book, self.chance)
        traders = self._poster("last", "alice", stack, signals(self.agents["alice"]))
        await still_trades(traders, again["operator"], self.agents["alice"], self.book)
        self.daemon.send(signal.SIGTERM)
        code = await self.daemon.end()
        if code != 0:
            self.result.wrong.append(f"the last SIGTERM ended the daemon with code {code}")
        if self.daemon.postmaster() is not None:
            self.result.wrong.append("the daemon ended and left its Postgres running")
        self.audit = await hold_finally(self.daemon.home, self.book)

    def _sum_up(self, began: float) -> None:
        result, book = self.result, self.book
        result.wrong = self._wrong()
        result.notes = self.daemon.notes
        result.acknowledged.update(each.kind for each in book.acknowledged)
        result.attempts, result.retried = book.attempts, book.retried
        result.refusals.update(book.refusals)
        result.inputs, result.copies = len(self.audit.inputs), self.audit.copies
        result.decisions = sum(sum(each.values()) for each in self.audit.decisions.values())
        result.fills, result.lives = self.audit.accounts.fills, self.daemon.lives
        result.seconds = time.monotonic() - began


def describe(result: Result, folder: Path) -> str:
    """The failure of a run: seed, kill, and what was wrong, with ids and offsets."""
    shown = "\n".join(f"  - {each}" for each in result.wrong[:WRONG_SHOWN])
    more = len(result.wrong) - WRONG_SHOWN
    return (
        f"seed {result.seed}: {len(result.wrong)} promises broken\n"
        f"  last move: {result.last_move}; daemon lives: {result.lives}\n{shown}\n"
        + (f"  … and {more} more\n" if more > 0 else "")
        + f"  kept for examination: {folder}"
    )
