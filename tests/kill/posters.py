"""Several posters that never give up: each retries with the same key until it has a definite answer."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp

from tests.kill.asks import REPEATS, Answer, Ask, Book

TRY_AGAIN: Final = frozenset({408, 429, 502, 503, 504})
ATTEMPT_SECONDS_MAX: Final = 6.0
IMPATIENT_SECONDS: Final = 0.03
"""Some attempts are given up so early that nobody knows whether they arrived."""
PAUSE_SECONDS_MAX: Final = 0.08
MINTS: Final = (
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263",
    "JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN",
)
CONFIGS: Final[tuple[dict[str, Any], ...]] = (
    {},
    {"sizing": {"amount": "0.1"}, "stopLoss": {"enabled": True, "percent": "5"}},
    {"sizing": {"mode": "percent", "percent": "2"}, "fillModel": {"slippageBps": 30}},
    {"signals": {"minStrength": 3}, "sizing": {"amount": "0.05"}},
    {"sizing": {"amount": "0.2"}, "fillModel": {"latencyMs": 150}, "purchaseLimits": {"maxOpenPositions": 2}},
)


class Sender:
    """Sends requests of one owner to wherever Tapefold listens, each attempt to any of these addresses."""

    def __init__(self, bases: Sequence[str], owner: str, key: str, book: Book, chance: random.Random) -> None:
        self.owner = owner
        self._bases = bases
        self._key = key
        self._book = book
        self._chance = chance
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        await self._session.close()

    def _base(self) -> str:
        return self._bases[0] if len(self._bases) == 1 else self._chance.choice(self._bases)

    async def attempt(self, ask: Ask, seconds: float = ATTEMPT_SECONDS_MAX) -> tuple[int, Any, Any]:
        """One request; raises what the connection gives."""
        ask.attempts += 1
        self._book.attempts += 1
        headers = {"X-API-Key": self._key, "Idempotency-Key": ask.key}
        if ask.no_wait:
            headers["Prefer"] = "respond-async"
        async with self._session.request(
            ask.method,
            self._base() + ask.path,
            headers=headers,
            json={} if ask.body is None else ask.body,
            timeout=aiohttp.ClientTimeout(total=seconds),
        ) as response:
            raw = await response.read()
            return response.status, response.headers, json.loads(raw)

    async def deliver(self, ask: Ask) -> Answer:
        """Send until there is a definite answer, and take it into the book."""
        while True:
            seconds = IMPATIENT_SECONDS if self._chance.random() < 0.04 else ATTEMPT_SECONDS_MAX
            try:
                status, headers, body = await self.attempt(ask, seconds)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                self._book.refused(type(error).__name__)
                await asyncio.sleep(self._chance.uniform(0.02, 0.25))
                continue
            if status in TRY_AGAIN:
                self._book.refused(f"{status} {body.get('code')}")
                await asyncio.sleep(self._chance.uniform(0.02, 0.25))
                continue
            if status >= 500:
                self._book.wrong.append(f"a request got {status} {body}: {ask}")
                await asyncio.sleep(0.25)
                continue
            answer = Answer.of(status, headers, body)
            if status not in {200, 201, 202, 404, 409}:
                self._book.wrong.append(f"a request got {status} {body}: {ask}")
            self._book.take(ask, answer)
            return answer

    async def deliver_other_body(self, ask: Ask) -> None:
        """The same key with another body: 422, or recorded without a word; it has no effect either way."""
        other = Ask(ask.kind, ask.owner, ask.method, ask.path, {"amount": "123456"}, ask.key)
        with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError, ValueError):
            status, _, body = await self.attempt(other)
            if not (status in TRY_AGAIN or status == 202 or (status == 422 and body["code"] == REPEATS)):
                self._book.wrong.append(f"another body under the same key got {status} {body}: {ask}")

    async def get(self, path: str) -> Any:
        """What a route shows, or None if it cannot be had now."""
        try:
            async with self._session.get(
                self._base() + path,
                headers={"X-API-Key": self._key},
                timeout=aiohttp.ClientTimeout(total=ATTEMPT_SECONDS_MAX),
            ) as response:
                shown = await response.json()
                return shown if response.status == 200 else None
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None


Make = Callable[["Poster"], Awaitable[Ask | None]]


class Poster:
    """One client: makes a request, delivers it, now and then repeats it or an older one."""

    def __init__(self, name: str, sender: Sender, book: Book, seed: str, make: Make) -> None:
        self.name = name
        self.sender = sender
        self.chance = random.Random(f"{seed} {name}")
        self.done: list[Ask] = []
        self._book = book
        self._seed = seed
        self._make = make
        self._number = 0

    def ask(self, kind: str, method: str, path: str, body: dict[str, Any] | None, **more: Any) -> Ask:
        """A new request with a key of its own."""
        self._number += 1
        key = f"{self._seed}-{self.name}-{self._number}"
        no_wait = self.chance.random() < 0.3
        return Ask(kind, self.sender.owner, method, f"/api/v1{path}", body, key, no_wait=no_wait, **more)

    async def run(self, stop: asyncio.Event) -> None:
        """Post until told to stop; what was begun is delivered."""
        while not stop.is_set():
            ask = await self._make(self)
            if ask is not None:
                await self.sender.deliver(ask)
                self.done.append(ask)
                await self._repeat(ask)
            await asyncio.sleep(self.chance.uniform(0, PAUSE_SECONDS_MAX))

    async def _repeat(self, ask: Ask) -> None:
        if self.chance.random() < 0.08:
            await self.sender.deliver(ask)
        if self.chance.random() < 0.08:
            await self.sender.deliver(self.chance.choice(self.done))
        if ask.kind == "deposit" and self.chance.random() < 0.1:
            await self.sender.deliver_other_body(ask)


# --- what they post --------------------------------------------------------------------------------------


def signals(agents: tuple[str, ...]) -> Make:
    """Signals for all agents of an owner, who has these."""

    async def make(poster: Poster) -> Ask:
        chance = poster.chance
        body = {"tokenAddress": chance.choice(MINTS), "action": "buy", "score": chance.randint(1, 5)}
        return poster.ask("signal", "POST", "/trading-signals", body, agents=agents)

    return make


def prices() -> Make:
    """Readings that walk, and now and then fall by a third."""
    marks = dict.fromkeys(MINTS, 1_000_000)

    async def make(poster: Poster) -> Ask:
        chance = poster.chance
        readings = []
        for mint in chance.sample(MINTS, chance.randint(1, len(MINTS))):
            step = -330 if chance.random() < 0.01 else chance.randint(-20, 22)
            marks[mint] = min(max(marks[mint] * (1000 + step) // 1000, 10_000), 100_000_000)
            price = f"0.{marks[mint]:09d}"
            readings.append({"tokenAddress": mint, "priceSol": price, "source": "kill suite"})
        return poster.ask("prices", "POST", "/prices", {"prices": readings})

    return make


def commands(agents: tuple[str, ...]) -> Make:
    """Deposits, configs and pauses."""

    async def make(poster: Poster) -> Ask:
        chance, agent = poster.chance, poster.chance.choice(agents)
        what = chance.random()
        if what < 0.5:
            body = {"amount": f"{chance.randint(1, 30)}.{chance.randint(0, 999_999_999):09d}"}
            return poster.ask("deposit", "POST", f"/agents/{agent}/deposits", body)
        if what < 0.85:
            return poster.ask("configure", "PUT", f"/agents/{agent}/config", chance.choice(CONFIGS))
        return poster.ask("update", "PUT", f"/agents/{agent}", {"paused": chance.random() < 0.3})

    return make


def closes() -> Make:
    """Closes of whatever is open: also of what another has just closed."""

    async def make(poster: Poster) -> Ask | None:
        shown = await poster.sender.get("/api/v1/agent-positions?limit=20")
        if not shown:
            return None
        position = poster.chance.choice(shown)["id"]
        return poster.ask("close", "POST", f"/agent-positions/{position}/close", None)

    return make


def newcomers() -> Make:
    """New agents, money for them, signals that name some of them, and deletions."""
    agents: list[str] = []

    async def make(poster: Poster) -> Ask | None:
        chance = poster.chance
        what = chance.random()
        if len(agents) < 2 or what < 0.15:
            body: dict[str, Any] = {"name": f"newcomer {len(agents)}", "config": chance.choice(CONFIGS)}
            ask = poster.ask("create", "POST", "/agents", body)
            agents.append(ask.id)
            return ask
        if what < 0.4:
            path = f"/agents/{chance.choice(agents)}/deposits"
            return poster.ask("deposit", "POST", path, {"amount": str(chance.randint(1, 5))})
        if what < 0.45:
            return poster.ask("delete", "DELETE", f"/agents/{chance.choice(agents)}", None)
        named = tuple(chance.sample(agents[-8:], min(len(agents), chance.randint(1, 3))))
        body = {
            "tokenAddress": chance.choice(MINTS),
            "signalType": "momentum",
            "signalStrength": chance.randint(1, 5),
            "agentIds": list(named),
        }
        return poster.ask("signal", "POST", "/trading-signals", body, agents=named)

    return make


@contextlib.asynccontextmanager
async def posting(posters: list[Poster], seconds_max: float, book: Book) -> AsyncIterator[None]:
    """Post meanwhile; at the end each gets the time to have its last request acknowledged."""
    stop = asyncio.Event()
    tasks = {asyncio.create_task(each.run(stop), name=each.name): each for each in posters}
    try:
        yield
        stop.set()
        _, pending = await asyncio.wait(tasks, timeout=seconds_max)
        book.wrong.extend(
            f"{tasks[task].name} got no definite answer within {seconds_max:.0f} s" for task in pending
        )
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        book.wrong.extend(f"a poster broke: {error!r}" for error in ended if isinstance(error, Exception))
