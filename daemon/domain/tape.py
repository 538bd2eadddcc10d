"""The fold of one tape: agents, marks, ids seen, deadlines, and the trader's `now`.

State = the fold of the journal (`evolve`) + input state, a fold of the tape itself (`observe`, `remember`,
`advance`). `inputs.py` decides on it; a start folds what is stored by `fold`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from daemon.domain.commands import Input, ObservePrices, Reading, TimePassed
from daemon.domain.errors import BrokenInvariant, DomainError
from daemon.domain.events import (
    AgentCreated,
    AgentEvent,
    AnyAgentEvent,
    AnyEvent,
    InputDropped,
    MintRegistered,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
)
from daemon.domain.evolve import evolve, initial
from daemon.domain.index import Index
from daemon.domain.marks import EMPTY, Accepted, MintPrices, Verdict, clock, observe
from daemon.domain.seen import First, SeenIds
from daemon.domain.state import AgentState, Context
from daemon.domain.undo import Undo
from daemon.domain.values import AgentId, InputId, Mint, Owner, PositionId

PRICE_IDS: Final = 4_096
"""For how many inputs the id of prices without a key is kept."""
FOLD_AT_ONCE: Final = 50
"""Events folded between two places where others may run."""


class Decided(NamedTuple):
    """A place in what was decided and is not final yet: what lies before it can be made final alone."""

    savepoint: int
    forgotten: int


class Tape:
    """The working state of one tape. Changes can be taken back until `undo.forget`."""

    def __init__(self) -> None:
        self.undo = Undo()
        self.now = 0
        self.agents: dict[AgentId, AgentState] = {}
        self.numbers: dict[AgentId, int] = {}
        """Agents in order of creation."""
        self.owners: dict[Owner, dict[AgentId, None]] = {}
        self.positions: dict[PositionId, AgentId] = {}
        self.prices: dict[Mint, MintPrices] = {}
        self.mints: dict[Mint, int] = {}
        """Decimals of the mints that have been registered."""
        self.seen = SeenIds(self.undo)
        self.price_ids: dict[InputId, First] = {}
        """Of the newest prices without a key: only intake's own second try can bring one again."""
        self._older_price_ids: dict[InputId, First] = {}
        """Of those before; thrown away as a whole when `price_ids` takes their place."""
        self.index = Index(self.agents, self.numbers, self.undo)

    def context(self, input_id: InputId) -> Context:
        """What a decision on this input may look at."""
        return Context(self.now, input_id, self.prices, self.mints)

    def owned(self, agent_id: AgentId, owner: Owner) -> AgentState | None:
        """An agent, unless it is somebody else's or deleted."""
        agent = self.agents.get(agent_id)
        return None if agent is None or agent.owner != owner or agent.deleted else agent

    def agents_of(self, owner: Owner) -> list[AgentId]:
        """An owner's agents in order of creation."""
        return [each for each in self.owners.get(owner, ()) if not self.agents[each].deleted]

    # --- input state -------------------------------------------------------------------------------------

    def advance(self, at: int) -> int:
        """Fold an input's time into `now`; returns `now` before."""
        before = self.now
        after = clock(before, at)
        if after != before:
            self.undo.set(self, "now", after)
        return before

    def remember(self, offset: int, given: Input) -> None:
        """Fold an input's id. That of prices without a key is kept for the next `PRICE_IDS` inputs only."""
        if isinstance(given.command, ObservePrices) and not given.keyed:
            self.undo.put(self.price_ids, given.id, First(offset, given.hash, 0))
        elif not isinstance(given.command, TimePassed):
            self.seen.remember(given.id, offset, given.hash, self.now)

    def first(self, offset: int, given: Input) -> First | None:
        """The first input of this one's id, if it stands on the tape already and is still known."""
        known = self.price_ids.get(given.id) or self._older_price_ids.get(given.id)
        if known is not None and known.offset >= offset - PRICE_IDS:
            return known
        return self.seen.get(given.id)

    def known_price_ids(self) -> dict[InputId, First]:
        """The ids of prices that may still be known, a copy."""
        return self._older_price_ids | self.price_ids

    def decided(self) -> Decided:
        """The end of what has been decided so far."""
        return Decided(self.undo.savepoint(), self.seen.forgotten)

    def compact(self, upto: Decided | None = None) -> None:
        """Make final what was decided, or what was decided up to there; only after its commit."""
        savepoint, forgotten = (None, None) if upto is None else upto
        self.undo.forget(savepoint)
        self.seen.compact(forgotten)
        # Twice as many as count: what is not final yet, of at most as many inputs, may be taken back.
        if len(self.price_ids) > 2 * PRICE_IDS:
            self._older_price_ids, self.price_ids = self.price_ids, {}

    def observe(self, reading: Reading) -> Verdict:
        """Fold one reading through the guard; the first accepted one that states decimals fixes them."""
        mint = reading.mint
        prices, verdict = observe(self.prices.get(mint, EMPTY), reading, self.now, self.mints.get(mint))
        self.undo.put(self.prices, mint, prices)
        if isinstance(verdict, Accepted) and reading.decimals is not None and mint not in self.mints:
            self.undo.put(self.mints, mint, reading.decimals)
        return verdict

    # --- the journal -------------------------------------------------------------------------------------

    def evolve(self, event: AnyEvent) -> None:
        """Fold one event."""
        if isinstance(event, AgentCreated):
            self._create(event)
        elif isinstance(event, AgentEvent):
            before = self.agents.get(event.agent_id)
            if before is None:
                raise BrokenInvariant(f"{type(event).__name__} of the unknown agent {event.agent_id}")
            try:
                after = evolve(before, event)
            except DomainError as error:
                raise BrokenInvariant(f"{type(event).__name__}: {error}") from error
            self.adopt(before, [event], after)
        elif isinstance(event, MintRegistered):
            self.undo.put(self.mints, event.mint, event.decimals)

    def adopt(self, before: AgentState, events: list[AnyAgentEvent], after: AgentState) -> None:
        """Take in what one agent has decided; `after` is `before` after the events."""
        moved: dict[Mint, None] = {}
        for event in events:
            match event:
                case PositionOpened():
                    self.undo.put(self.positions, event.position_id, event.agent_id)
                    moved[event.mint] = None
                case PositionIncreased() | PositionReduced():
                    moved[event.mint] = None
                case PositionClosed():
                    self.undo.drop(self.positions, event.position_id)
                    moved[event.mint] = None
                case _:
                    pass
        if after is not before:
            self.undo.put(self.agents, after.agent_id, after)
            self.index.update(before, after, moved)

    def _create(self, event: AgentCreated) -> None:
        if event.agent_id in self.agents:
            raise BrokenInvariant(f"agent {event.agent_id} was created twice")
        self.undo.put(self.numbers, event.agent_id, len(self.numbers))
        self.undo.put(self.agents, event.agent_id, initial(event))
        self.undo.put(self.owners.setdefault(event.owner, {}), event.agent_id, None)

    # --- both --------------------------------------------------------------------------------------------

    def fold(self, offset: int, at: int, given: Input | None, events: tuple[AnyEvent, ...]) -> None:
        """`folding` to its end."""
        for _ in self.folding(offset, at, given, events):
            pass

    def folding(
        self, offset: int, at: int, given: Input | None, events: tuple[AnyEvent, ...]
    ) -> Iterator[None]:
        """Fold a stored input and its entry (no events if it has none), without deciding anything.

        Yields now and then, so that a large entry can let others run. `given` is None where the stored bytes
        are no input; that is right only for one that was dropped.
        """
        self.advance(at)
        dropped = any(isinstance(event, InputDropped) for event in events)
        if given is None and not dropped:
            raise BrokenInvariant(f"tape offset {offset} cannot be read and was not dropped")
        # Readings before the events: the guard must not know decimals that a later reading of them fixed.
        if given is not None and not dropped and self.first(offset, given) is None:
            self.remember(offset, given)
            if isinstance(given.command, ObservePrices):
                fixed = fixed_by_fills(events)
                for number, reading in enumerate(given.command.readings, 1):
                    self.observe(reading)
                    if number in fixed:
                        self.evolve(fixed[number])
        for number, event in enumerate(events, 1):
            self.evolve(event)
            if number % FOLD_AT_ONCE == 0:
                yield
        self.compact()
        yield


def fixed_by_fills(events: tuple[AnyEvent, ...]) -> dict[int, MintRegistered]:
    """The decimals that fills fixed in the middle of an input of prices, by the readings before them."""
    return {event.readings: event for event in events if isinstance(event, MintRegistered) and event.readings}
