"""The demo from start to end."""

from __future__ import annotations

import asyncio
import shlex
import signal
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

from rich.console import Console

from daemon import clock
from ops.beginning import ADMIN_KEY_NAME
from ops.demo.candles import SHIPPED
from ops.demo.child import DaemonProcess
from ops.demo.client import Http, NotNow
from ops.demo.folder import HOME_NAME, KAFKA_HOME_NAME, demo_home
from ops.demo.kafka import delete_topics
from ops.demo.screen import LiveScreen, PlainScreen, Screen, agents_table
from ops.demo.story import CANDLE_SECONDS, CAST, LAST_CANDLE, MINTS, STORY, Close, Part, Signal
from ops.demo.watching import Figures, Watcher
from ops.errors import StartError
from streams.log.kafka_address import Brokers

ONCE_SPEED: Final = 2_400
"""8 hours in 12 seconds."""
STAY_SPEED: Final = 240
"""A candle every second and a quarter."""
LOOK_SECONDS: Final = 0.4
ONCE_SECONDS_MAX: Final = 90
"""For the story of `--once` on a slow machine; the candles return until then."""
INTERRUPTED: Final = 130

T = TypeVar("T")


@dataclass(frozen=True)
class Options:
    """How the demo is to run."""

    once: bool
    fresh: bool
    home: Path | None
    port: int | None
    topics: Brokers | None = None
    """Where it runs on Kafka."""


async def play(options: Options) -> int:
    """Run the demo; returns the exit code. Raises `StartError` with one line for the user."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    console = Console()
    screen = LiveScreen(console) if console.is_terminal and not options.once else PlainScreen(console)
    async with AsyncExitStack() as stack:
        name = HOME_NAME if options.topics is None else KAFKA_HOME_NAME
        home = await stack.enter_async_context(
            demo_home(options.home, once=options.once, fresh=options.fresh, name=name)
        )
        topics = await _topics(options, home, stack)
        daemon = await stack.enter_async_context(
            _daemon(home, None if topics is None else topics.url, screen)
        )
        speed = ONCE_SPEED if options.once else STAY_SPEED
        on = "" if topics is None else f"TAPEFOLD_LOG={topics.url} "
        screen.say(f"starting the daemon: {on}tapefold up --home {home} --feed {SHIPPED.name} ...")
        url = await _unless(stop, daemon.start(options.port, SHIPPED, speed))
        if url is None:
            return INTERRUPTED
        began = clock.monotonic()
        screen.say(
            f"it listens on {url} and replays 5-minute candles, {speed} times as fast as they happened"
        )
        http = await stack.enter_async_context(Http(url, daemon.admin_key()))
        demo = _Demo(http, daemon, screen, began, speed)
        await demo.prepare(home)
        if options.once:
            return await demo.run_once(stop, console)
        await demo.stay(stop, _curl(url, home))
        return 0


class _Demo:
    """A demo whose daemon runs."""

    def __init__(self, http: Http, daemon: DaemonProcess, screen: Screen, began: float, speed: int) -> None:
        self._http = http
        self._daemon = daemon
        self._screen = screen
        self._began = began
        self._speed = speed
        self._watcher = Watcher(http)
        self._steps = list(STORY)
        self._ids: dict[str, str] = {}
        self._stops = 0

    async def prepare(self, home: Path) -> None:
        """Make the agents and give them SOL: once for a home, however often the demo runs there."""
        found = await self._http.list_all("/agents")
        if found:
            self._screen.say(
                f"going on with the {len(found)} agents and their positions that {home} holds already; "
                "tapefold demo --fresh (make demo DEMO_ARGS=--fresh) begins anew"
            )
        for part in CAST:
            body = {"name": part.name, "tradingMode": "simulation", "config": dict(part.config)}
            key = f"demo-{sha256(repr(part).encode()).hexdigest()[:16]}"
            agent = await self._http.post("/agents", body, key)
            self._ids[part.name] = agent["id"]
            await self._http.post(f"/agents/{agent['id']}/deposits", {"amount": part.deposit}, key)
            self._screen.say(_introduce(part))
        await self._watcher.look()

    async def run_once(self, stop: asyncio.Event, console: Console) -> int:
        """Play the story to its end, and show the figures it ends with."""
        end = self._began + LAST_CANDLE * CANDLE_SECONDS / self._speed
        until = self._began + ONCE_SECONDS_MAX
        while self._steps or not self._stops or clock.monotonic() < end:
            if stop.is_set():
                return INTERRUPTED
            if clock.monotonic() > until:
                raise StartError(
                    f"the demo's story is not over after {ONCE_SECONDS_MAX} s: is the machine busy?"
                )
            await self._step(stop)
        look = await self._watcher.look()
        self._screen.show(look)
        console.print(agents_table(look.figures))
        return 0

    async def stay(self, stop: asyncio.Event, curl: str) -> None:
        """Play the story, then go on showing what others post."""
        self._screen.say(f"\nPost a signal of your own from another terminal:\n\n{curl}\n")
        with self._screen:
            while not stop.is_set():
                await self._step(stop)

    async def _step(self, stop: asyncio.Event) -> None:
        """Look, do what is due, and wait a moment."""
        if self._daemon.has_ended:
            raise self._daemon.ended()
        with suppress(NotNow):  # it says why in its log, and will answer again
            look = await self._watcher.look()
            self._screen.show(look)
            self._stops += sum("by stop_loss" in each.text for each in look.happenings)
            await self._act(look.figures)
        await _unless(stop, asyncio.sleep(LOOK_SECONDS))

    async def _act(self, figures: Sequence[Figures]) -> None:
        candle = (clock.monotonic() - self._began) * self._speed / CANDLE_SECONDS
        while self._steps and self._steps[0].candle <= candle:
            step = self._steps[0]
            if isinstance(step, Signal):
                await self._post(step)
            elif not await self._close(step, figures):
                return
            del self._steps[0]

    async def _post(self, step: Signal) -> None:
        body = {
            "tokenAddress": MINTS[step.symbol],
            "symbol": step.symbol,
            "action": "buy",
            "score": step.score,
            "reason": step.reason,
            "source": "demo",
        }
        await self._http.post("/trading-signals", body)

    async def _close(self, step: Close, figures: Sequence[Figures]) -> bool:
        for agent in figures:
            for holding in agent.holdings:
                if agent.id == self._ids[step.agent] and holding.symbol == step.symbol:
                    await self._http.post(f"/agent-positions/{holding.id}/close", {})
                    return True
        return False


async def _topics(options: Options, home: Path, stack: AsyncExitStack) -> Brokers | None:
    """Where the log is, if on Kafka: emptied for a fresh demo, and gone after one whose home goes too."""
    topics = options.topics
    if topics is None:
        return None
    if options.once and options.home is None:
        topics = topics._replace(prefix=home.name)
        stack.push_async_callback(delete_topics, topics)
    elif options.fresh:
        await delete_topics(topics)
    return topics


@asynccontextmanager
async def _daemon(home: Path, log_url: str | None, screen: Screen) -> AsyncIterator[DaemonProcess]:
    daemon = DaemonProcess(home, log_url)
    try:
        yield daemon
    finally:
        if not daemon.has_ended:
            screen.say("stopping the daemon")
        if not await daemon.stop():
            screen.say(f"it did not stop in time and was killed: see {daemon.log}")


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, T]) -> T | None:
    """What the work gives; None, and the work cut off, as soon as the demo is to stop."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        for each in (working, stopping):
            each.cancel()
        await asyncio.gather(working, stopping, return_exceptions=True)


def _introduce(part: Part) -> str:
    return f"agent   {part.name}: {part.about}; {part.deposit} SOL"


def _curl(url: str, home: Path) -> str:
    """The line that posts the next signal. It reads the key where it lies, so that no terminal shows it."""
    body = f'{{"tokenAddress": "{MINTS["ADA"]}", "symbol": "ADA", "action": "buy", "score": 5}}'
    key = shlex.quote(str(home / ADMIN_KEY_NAME))
    return (
        f'curl -X POST {url}/api/v1/trading-signals -H "X-API-Key: $(cat {key})" '
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
