"""One run: a fresh installation, posters, kills, and what must hold after each of them and at the end."""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import asyncpg

from api.identity.keys import Scope
from tests.kill.asks import Answered, Book
from tests.kill.audit import Audit
from tests.kill.choosing import WrongExit
from tests.kill.ending import still_trades, tell_again
from tests.kill.posters import Poster, Sender, closes, commands, newcomers, posting, prices, signals
from tests.kill.victims import Child, DidNotStart

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
    """A run under way. What is killed, and where things are stored, its kinds say."""

    owners: Sequence[str]
    """Those with agents from the beginning."""

    def __init__(self, plan: Plan, tapes: int = 1) -> None:
        self.plan = plan
        self.result = Result(plan.seed)
        self.book = Book()
        self.tapes = tapes
        self.audits = self._fresh_audits()
        self.chance = random.Random(f"{plan.seed} moves")
        plan.folder.mkdir(parents=True)
        self.keys: dict[str, str] = {}
        self.agents: dict[str, tuple[str, ...]] = {}

    async def run(self) -> Result:
        """Do all of it. What is wrong is in the result, never raised."""
        began = time.monotonic()
        try:
            async with AsyncExitStack() as stack:
                stack.push_async_callback(self._abandon)
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
            self.result.wrong.append(f"no end: last move: {self.result.last_move}")
        except (DidNotStart, WrongExit, asyncpg.PostgresError) as error:
            self.result.wrong.append(f"{type(error).__name__}: {error}")
        self._sum_up(began)
        return self.result

    def remove(self) -> None:
        """Delete all that the run has made; only after a run that found nothing."""
        shutil.rmtree(self.plan.folder)

    # --- what its kinds say --------------------------------------------------------------------------------

    def _children(self) -> Sequence[Child]:
        """The processes under test."""
        raise NotImplementedError

    def _bases(self) -> Sequence[str]:
        """Where the API is served."""
        raise NotImplementedError

    async def _key(self, owner: str, *scopes: Scope) -> str:
        """A new API key of an owner."""
        raise NotImplementedError

    async def _begin(self, stack: AsyncExitStack) -> None:
        """Start, and make owners, keys and agents."""
        raise NotImplementedError

    def _next_move(self) -> tuple[str, Callable[[], Awaitable[int]]]:
        """A move's name, and how to make it: it returns how many were killed, when all are ready again."""
        raise NotImplementedError

    async def _read(self, audits: Sequence[Audit]) -> None:
        """Let the audits take what is stored now."""
        raise NotImplementedError

    async def _restart(self) -> None:
        """Kill and start again what decides."""
        raise NotImplementedError

    async def _end(self) -> None:
        """End everything in order, and hold what is stored to what it must be, from the first byte."""
        raise NotImplementedError

    async def _abandon(self) -> None:
        """Whatever still runs ends: for leaving."""
        raise NotImplementedError

    # --- before ------------------------------------------------------------------------------------------

    async def _make_owners(self, stack: AsyncExitStack) -> None:
        for owner in (*self.owners, "carol"):
            self.keys[owner] = await self._key(owner, "read", "signals", "trade")
        for owner in self.owners:
            maker = self._poster("setup", owner, stack, signals(()))
            self.agents[owner] = await self._make_agents(maker)

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
        sender = Sender(self._bases(), owner, self.keys[owner], self.book, chance)
        stack.push_async_callback(sender.close)
        return Poster(f"{name}-{owner}", sender, self.book, self.plan.seed, make)

    def _posters(self, stack: AsyncExitStack) -> list[Poster]:
        made = [
            self._poster("signals-2", self.owners[0], stack, signals(self.agents[self.owners[0]])),
            self._poster("prices", "operator", stack, prices()),
            self._poster("newcomers", "carol", stack, newcomers()),
        ]
        for owner, agents in self.agents.items():
            made += [
                self._poster("signals", owner, stack, signals(agents)),
                self._poster("commands", owner, stack, commands(agents)),
                self._poster("closes", owner, stack, closes()),
            ]
        return made

    # --- under load --------------------------------------------------------------------------------------

    async def _kill_under_load(self, stack: AsyncExitStack) -> None:
        async with posting(self._posters(stack), LAST_ANSWER_SECONDS_MAX, self.book):
            while self.result.kills < self.plan.kills and not self._wrong():
                await self._load_for(self.chance.uniform(*self.plan.seconds_between))
                name, move = self._next_move()
                self.result.last_move = f"{name}, after {self.result.kills} kills"
                acknowledged = self.book.answered()
                self._count(name, await move())
                await self._look(acknowledged)
                self.plan.say(
                    f"  {self.result.kills:4} kills  {name:17} {len(self.book.acknowledged):6}"
                    f" acknowledged  {sum(len(each.inputs) for each in self.audits):6} inputs"
                    f"  {sum(each.copies for each in self.audits):4} copies"
                )
        await self._look(self.book.answered())

    async def _load_for(self, seconds: float) -> None:
        """Let the posters post; nobody kills anything now, so nothing must end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended = [child for child in self._children() if not child.is_running]
            if ended:
                self.result.wrong += [
                    f"{each.name} ended by itself: see {each.errors.name}" for each in ended
                ]
                return
            await asyncio.sleep(0.05)

    async def _look(self, acknowledged: Answered) -> None:
        """What must hold at any moment. What was acknowledged before a kill is looked for after it."""
        await self._read(self.audits)
        for audit in self.audits:
            audit.hold_to(acknowledged)

    async def _read_again(self) -> None:
        """What is wrong is not a matter of a moment: read all from the first byte, after another start."""
        await self._restart()
        found, self.audits = self.audits, self._fresh_audits()
        await self._look(self.book.answered())
        for old, new in zip(found, self.audits, strict=True):
            new.wrong = [*old.wrong, *(f"read again: {each}" for each in new.wrong)]

    def _fresh_audits(self) -> list[Audit]:
        return [Audit(tape, self.tapes) for tape in range(self.tapes)]

    def _count(self, move: str, kills: int) -> None:
        self.result.kills += kills
        self.result.moves[move] += 1

    def _wrong(self) -> list[str]:
        of_tapes = [
            each if self.tapes == 1 else f"tape {audit.tape}: {each}"
            for audit in self.audits
            for each in audit.wrong
        ]
        return [*self.result.wrong, *of_tapes, *self.book.wrong]

    # --- after -------------------------------------------------------------------------------------------

    async def _finish(self, stack: AsyncExitStack) -> None:
        again = {owner: self._poster("again", owner, stack, signals(())) for owner in self.keys}
        await tell_again({owner: each.sender for owner, each in again.items()}, self.book, self.chance)
        for owner in self.owners:
            trader = self._poster("last", owner, stack, signals(self.agents[owner]))
            await still_trades(trader, again["operator"], self.agents[owner], self.book)
        await self._end()

    def _sum_up(self, began: float) -> None:
        result, book = self.result, self.book
        result.wrong = self._wrong()
        result.notes = [note for child in self._children() for note in child.notes]
        result.acknowledged.update(each.kind for each in book.acknowledged)
        result.attempts, result.retried = book.attempts, book.retried
        result.refusals.update(book.refusals)
        result.inputs = sum(len(each.inputs) for each in self.audits)
        result.copies = sum(each.copies for each in self.audits)
        result.decisions = sum(sum(by.values()) for each in self.audits for by in each.decisions.values())
        result.fills = sum(each.accounts.fills for each in self.audits)
        result.lives = sum(child.lives for child in self._children())
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
