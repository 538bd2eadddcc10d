"""Scripts: generated sequences of inputs for a whole tape, and how they are played.

A script names things by small numbers (the n-th agent, the n-th mint), so that it means something whatever
came before, and shrinks well. Playing one is deterministic.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from hypothesis import strategies as st

from daemon.domain.commands import (
    AnyCommand,
    ClosePosition,
    ConfigureAgent,
    CreateAgent,
    DeleteAgent,
    Deposit,
    DropInput,
    HandleSignal,
    ObservePrices,
    Reading,
    ReleaseAgent,
    TimePassed,
    UpdateAgent,
)
from daemon.domain.events import AgentCreated, AnyEvent, PositionOpened
from daemon.domain.values import AgentId, Mint, Owner, PositionId, Price
from tests.support.examples import MINT, OTHER_MINT, OWNER, STRANGER, THIRD_MINT, some_id
from tests.support.world import World

MINTS = (MINT, OTHER_MINT, THIRD_MINT)
OWNERS = (OWNER, STRANGER)
SOURCES = ("a", "b")
DECIMALS = (6, 9, 3)


FIRST_CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"stopLoss": {"enabled": True, "percent": "10"}},
    {"fillModel": {"latencyMs": 1_500, "slippageBps": 50}, "market": {"orderExpirySeconds": 5}},
    {"stopLoss": {"enabled": True, "percent": "10"}},
)
"""Those of the agents that every script begins with; the last one is a stranger's."""


class Step(NamedTuple):
    """One input: what it is, whether a stranger gives it, how much later (ms, may be negative)."""

    kind: str
    stranger: int
    after: int
    values: dict[str, Any]


small = st.integers(0, 5)
waits = st.sampled_from(
    [0, 1, 200, 500, 1_000, 2_000, 3_000, 5_000] * 6
    + [10_000, 59_999, 60_000, 60_001, 300_000, 86_400_001, -1, -5_000, -5_001, -3_600_000]
)
lamports = st.sampled_from([1, 10**9, 5 * 10**9, 2**63])
configs = st.fixed_dictionaries(
    {},
    optional={
        "signals": st.sampled_from([{"minStrength": 3}, {"allowedSignalTypes": ["buy"]}]),
        "sizing": st.sampled_from(
            [
                {"amount": "0.000000001"},
                {"amount": "3.333333333"},
                {"mode": "percent", "percent": "33.3"},
                {"mode": "percent", "percent": "100"},
            ]
        ),
        "purchaseLimits": st.sampled_from(
            [{"onePositionPerToken": True}, {"maxOpenPositions": 1}, {"minimumAgentBalance": "2.5"}]
        ),
        "stopLoss": st.sampled_from(
            [{"enabled": True, "percent": "10"}, {"enabled": True, "percent": "32.5"}, {"enabled": False}]
        ),
        "market": st.sampled_from([{"maxPriceAgeSeconds": 1}, {"orderExpirySeconds": 5}]),
        "fillModel": st.sampled_from(
            [
                {"latencyMs": 1_500},
                {"slippageBps": 137, "feeBps": 25},
                {"feeBps": 5_000},
                {"slippageBps": 5_000, "latencyMs": 60_000},
            ]
        ),
    },
)
factors = st.sampled_from(
    ["1", "1", "1", "1.01", "0.98", "1.1", "0.9", "0.85", "0.7", "1.4", "3", "0.3", "1.5", "0.5"]
)
readings = st.fixed_dictionaries(
    {"mint": st.integers(0, 2), "factor": factors},
    optional={
        "source": st.integers(0, 1),
        "low": st.sampled_from(["0.99", "0.8", "0.3"]),
        "high": st.sampled_from(["1.01", "1.3", "4"]),
        "age": st.sampled_from([0, 1_000, 30_000, 61_000, -4_000, -6_000]),
        "liquidity": st.sampled_from([0, 1, 200 * 10**9, 10**15]),
        "decimals": st.sampled_from([0, 6, 9]),
    },
)


def step(kind: str, values: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[Step]:
    """Inputs of one kind."""
    return st.builds(Step, st.just(kind), st.sampled_from([0, 0, 0, 0, 1]), waits, values)


WEIGHTS = (
    (30, step("prices", st.fixed_dictionaries({"readings": st.lists(readings, min_size=1, max_size=3)}))),
    (25, step("signal", st.fixed_dictionaries({"mint": st.integers(0, 2), "strength": st.integers(1, 5)}))),
    (
        8,
        step(
            "signal",
            st.fixed_dictionaries(
                {
                    "mint": st.integers(0, 2),
                    "strength": st.integers(1, 5),
                    "agents": st.lists(small, max_size=3),
                    "expires": st.sampled_from([30_000, 30_000, 86_400_000, -1, 1]),
                }
            ),
        ),
    ),
    (10, step("close", st.fixed_dictionaries({"position": small}))),
    (4, step("deposit", st.fixed_dictionaries({"agent": small, "lamports": lamports}))),
    (3, step("create", st.fixed_dictionaries({}, optional={"config": configs}))),
    (8, step("configure", st.fixed_dictionaries({"agent": small, "config": configs}))),
    (2, step("update", st.fixed_dictionaries({"agent": small, "paused": st.sampled_from([False, True])}))),
    (1, step("delete", st.fixed_dictionaries({"agent": small}))),
    (2, step("release", st.fixed_dictionaries({"agent": small}))),
    (2, step("time", st.just({}))),
    (1, step("drop", st.just({}))),
    (4, step("again", st.fixed_dictionaries({"back": st.integers(0, 20)}))),
)
STEPS = st.sampled_from([each for weight, each in WEIGHTS for _ in range(weight)]).flatmap(lambda each: each)
SCRIPTS = st.lists(STEPS, min_size=10, max_size=60)


class Player:
    """Plays scripts on a world that begins with four funded agents of two owners and three priced mints."""

    def __init__(self, *, prices: bool = True) -> None:
        self.world = World()
        self.agents: list[AgentId] = []
        self.positions: list[PositionId] = []
        self.levels = {mint: Price(each) for mint, each in zip(MINTS, ("1", "0.0067", "250"), strict=True)}
        self.ids: list[str] = []
        for number, config in enumerate(FIRST_CONFIGS):
            self.play_one(Step("create", number // 3, 1_000, {"config": config}))
            self.play_one(Step("deposit", 0, 0, {"agent": number, "lamports": 10 * 10**9}))
        for mint in range(3 if prices else 0):
            reading = {"mint": mint, "factor": "1", "decimals": DECIMALS[mint]}
            self.play_one(Step("prices", 0, 100, {"readings": [reading]}))

    def play(
        self, script: Iterable[Step], after_each: Callable[[Step, list[AnyEvent]], None] | None = None
    ) -> None:
        """Give all inputs of a script."""
        for each in script:
            events = self.play_one(each)
            if after_each is not None:
                after_each(each, events)

    def play_one(self, each: Step) -> list[AnyEvent]:
        """Give one input."""
        world = self.world
        if each.kind == "again":
            return self._again(each)
        command = self._command(each)
        owner = OWNERS[(OWNERS.index(self._owner(command)) + each.stranger) % 2]
        input_id = some_id(f"input {len(world.records)}")
        ours = isinstance(command, (TimePassed, ObservePrices))
        self.ids.append(input_id)
        events = world.give(
            command, owner=owner, after=each.after, input_id=input_id, body=each.kind, keyed=not ours
        )
        self.agents += [event.agent_id for event in events if isinstance(event, AgentCreated)]
        self.positions += [event.position_id for event in events if isinstance(event, PositionOpened)]
        return events

    def _again(self, each: Step) -> list[AnyEvent]:
        """Put the bytes of an earlier input on the tape once more."""
        world = self.world
        record = world.records[-1 - each.values["back"] % len(world.records)]
        return world.give_bytes(record.data, at=world.at + each.after)

    def _owner(self, command: AnyCommand) -> Owner:
        """Whose agent a command is about."""
        agent = getattr(command, "agent_id", None)
        if isinstance(command, ClosePosition):
            agent = self.world.tape.positions.get(command.position_id)
        if isinstance(command, HandleSignal) and command.agent_ids:
            agent = command.agent_ids[0]
        return OWNER if agent is None else self.world.tape.agents[agent].owner

    def _command(self, each: Step) -> AnyCommand:
        values = each.values
        match each.kind:
            case "prices":
                return ObservePrices(readings=tuple(map(self._reading, values["readings"])))
            case "signal":
                named = values.get("agents")
                expires = values.get("expires")
                return HandleSignal(
                    mint=MINTS[values["mint"]],
                    signal_type="buy" if values["strength"] % 2 else "dip",
                    strength=values["strength"],
                    expires_at=None if expires is None else self.world.at + each.after + expires,
                    agent_ids=None if not named else tuple(map(self._agent, named)),
                )
            case "create":
                return CreateAgent(name="x", mode="simulation", config=values.get("config"))
            case "configure":
                return ConfigureAgent(agent_id=self._agent(values["agent"]), config=values["config"])
            case "update":
                return UpdateAgent(agent_id=self._agent(values["agent"]), paused=values["paused"])
            case "deposit":
                return Deposit(agent_id=self._agent(values["agent"]), lamports=values["lamports"])
            case "delete":
                return DeleteAgent(agent_id=self._agent(values["agent"]))
            case "release":
                return ReleaseAgent(agent_id=self._agent(values["agent"]))
            case "close":
                return ClosePosition(position_id=self._position(values["position"]))
            case "drop":
                return DropInput(offset=0, reason="x")
            case _:
                return TimePassed()

    def _agent(self, number: int) -> AgentId:
        return self.agents[number % len(self.agents)]

    def _position(self, number: int) -> PositionId:
        """One of those open, or one that was, or one that never was."""
        known = [*self.world.tape.positions, *self.positions[-1:]]
        return known[number % len(known)] if known else PositionId("none")

    def _reading(self, values: dict[str, Any]) -> Reading:
        mint: Mint = MINTS[values["mint"]]
        price = Price(self.levels[mint] * Price(values["factor"]))
        self.levels[mint] = min(max(price, Price("1e-9")), Price("1e9"))
        age = values.get("age")
        return Reading(
            mint=mint,
            price=price,
            source=SOURCES[values.get("source", 0)],
            low=Price(price * Price(values["low"])) if "low" in values else None,
            high=Price(price * Price(values["high"])) if "high" in values else None,
            observed_at=None if age is None else self.world.at - age,
            liquidity=values.get("liquidity"),
            decimals=values.get("decimals"),
        )


def played(script: Sequence[Step]) -> Player:
    """A world on which a script was played."""
    player = Player()
    player.play(script)
    return player
