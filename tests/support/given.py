"""given(what has happened).when(a command).then(what follows): the tests of one agent's decider.

`given` takes the agent's events; `AgentCreated` is put before them unless they begin with it. `config` is
short for an `AgentConfigured` behind that, `sol` for a deposit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from daemon.domain.agent import AgentCommand, decide, evolve, fold, initial
from daemon.domain.config import given_keys, resolve, stored
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    AnyAgentEvent,
    CommandDenied,
    FundsDeposited,
    LedgerEntry,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.marks import Mark, MintPrices
from daemon.domain.state import AgentState, Context
from daemon.domain.values import LAMPORTS_PER_SOL, SOL, Mint, Price, use_context
from tests.support.examples import AGENT, AT, MINT, OWNER, SIGNAL, some_id

CREATED = AgentCreated(agent_id=AGENT, owner=OWNER, name="Momentum", mode="simulation")


def configured(config: Mapping[str, Any], version: int = 1) -> AgentConfigured:
    """The event of a config."""
    resolved = resolve(dict(config))
    return AgentConfigured(
        agent_id=AGENT, version=version, config=stored(resolved), given=given_keys(resolved)
    )


def deposited(lamports: int, balance: int | None = None) -> FundsDeposited:
    """The event of a deposit, by default the first."""
    after = lamports if balance is None else balance
    entry = LedgerEntry(mint=SOL, change=lamports, balance=after, reason="deposit")
    return FundsDeposited(agent_id=AGENT, deposit_id=some_id("deposit"), ledger=(entry,))


def mark(price: str, at: int = AT, *, low: str | None = None, liquidity: int | None = None) -> Mark:
    """A mark."""
    return Mark(
        price=Price(price),
        low=Price(low or price),
        high=Price(price),
        at=at,
        source="test",
        liquidity=liquidity,
    )


def signal(**changed: Any) -> SignalReceived:
    """A signal to buy."""
    fields: dict[str, Any] = {
        "signal_id": SIGNAL,
        "owner": OWNER,
        "mint": MINT,
        "signal_type": "buy",
        "strength": 3,
        "expires_at": AT + 300_000,
    }
    return SignalReceived(**(fields | changed))


@dataclass(frozen=True)
class Given:
    """An agent's past, and what a decision may look at besides."""

    state: AgentState
    now: int = AT
    marks: Mapping[Mint, Mark] = field(default_factory=dict)
    decimals: Mapping[Mint, int] = field(default_factory=dict)

    def at(self, now: int) -> Given:
        """Decide at this time."""
        return replace(self, now=now)

    def with_mark(self, price: Mark, mint: Mint = MINT, decimals: int = 6) -> Given:
        """A mint has this mark and these decimals."""
        return replace(self, marks={**self.marks, mint: price}, decimals={**self.decimals, mint: decimals})

    def context(self) -> Context:
        """What the decision may look at."""
        prices = {mint: MintPrices(mark=each) for mint, each in self.marks.items()}
        return Context(self.now, some_id("input"), prices, self.decimals)

    def when(self, command: AgentCommand) -> Outcome:
        """Decide."""
        answer = decide(self.state, command, self.context())
        if isinstance(answer, CommandDenied):
            return Outcome(self, (), answer)
        return Outcome(self, tuple(answer), None)


@dataclass(frozen=True)
class Outcome:
    """What was decided."""

    before: Given
    events: tuple[AnyAgentEvent, ...]
    refusal: CommandDenied | None

    @property
    def state(self) -> AgentState:
        """The agent after it."""
        return fold(self.before.state, self.events)

    @property
    def kinds(self) -> list[str]:
        """Names of the events, in order."""
        return [type(each).__name__ for each in self.events]

    def then(self, *events: AnyAgentEvent) -> Given:
        """Exactly these events follow; the next decision starts behind them."""
        assert self.refusal is None, self.refusal
        assert list(self.events) == list(events)
        return self.next()

    def denied(self, rule: str, limit: str | None = None, value: str | None = None) -> None:
        """The signal, or the command as a whole, is denied by this rule, and nothing else follows."""
        answer: SignalDenied | CommandDenied | None = self.refusal
        if answer is None:
            assert self.kinds == ["SignalDenied"], self.events
            only = self.events[0]
            assert isinstance(only, SignalDenied)
            answer = only
        assert answer.rule == rule
        assert limit is None or answer.limit == limit
        assert value is None or answer.value == value

    def next(self) -> Given:
        """What is given after this outcome."""
        return replace(self.before, state=self.state)


def given(*events: AnyAgentEvent, config: Mapping[str, Any] | None = None, sol: int | None = None) -> Given:
    """An agent to which this has happened; `sol` whole SOL were deposited first."""
    use_context()
    past = list(events)
    created = past.pop(0) if past and isinstance(past[0], AgentCreated) else CREATED
    assert isinstance(created, AgentCreated)
    state = initial(created)
    if config is not None:
        state = evolve(state, configured(config))
    if sol is not None:
        state = evolve(state, deposited(sol * LAMPORTS_PER_SOL))
    return Given(fold(state, past))
