"""The fold of tape and journal, merged in tape order, into rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from daemon.domain import marks as guard
from daemon.domain.commands import DropInput, Input, ObservePrices, TimePassed
from daemon.domain.events import Event, InputDropped, InputRepeated, MintRegistered
from daemon.domain.marks import MintPrices
from daemon.domain.tape import fixed_by_fills
from daemon.domain.values import AgentId, Mint
from daemon.records import Entry, TapeRecord, UnreadableRecord, decode_input
from projections import (
    agent_configs,
    agents,
    balances,
    closed_positions,
    fills,
    inputs,
    marks,
    orders,
    origins,
    positions,
    signal_decisions,
    signals,
)
from projections.batch import Batch
from projections.model import Cause, Folds, Holder, Model

EVENTS_BETWEEN_BREATHS: Final = 16


class Projection(NamedTuple):
    """One read model and the events that it is folded from."""

    model: Model[Any]
    folds: Folds


PROJECTIONS: Final = (
    # These three are folded from inputs, not from single events.
    Projection(inputs.INPUTS, {}),
    Projection(origins.ORIGINS, {}),
    Projection(marks.MARKS, {}),
    # Agents first: the others repeat what is known of theirs.
    Projection(agents.AGENTS, agents.FOLDS),
    Projection(agent_configs.AGENT_CONFIGS, agent_configs.FOLDS),
    Projection(signals.SIGNALS, signals.FOLDS),
    Projection(signal_decisions.SIGNAL_DECISIONS, signal_decisions.FOLDS),
    Projection(orders.ORDERS, orders.FOLDS),
    Projection(fills.FILLS, fills.FOLDS),
    Projection(positions.POSITIONS, positions.FOLDS),
    Projection(closed_positions.CLOSED_POSITIONS, closed_positions.FOLDS),
    Projection(balances.BALANCES, balances.FOLDS),
)


class EntryMissing(Exception):
    """The journal has passed an input that must have an entry, and holds none."""


class State:
    """What the fold must know of what it folded before: little, and all of it stands in the tables."""

    def __init__(self) -> None:
        self.agents: dict[AgentId, Holder] = {}
        self.stuck: dict[AgentId, dict[str, None]] = {}
        self.prices: dict[Mint, MintPrices] = {}
        self.decimals: dict[Mint, int] = {}


class Folder:
    """Folds inputs and entries of one tape into batches of row operations."""

    def __init__(self, tape: int, state: State, now: int = 0) -> None:
        self.now = now
        """The trader's."""
        self.events = 0
        self.batch = Batch()
        self._tape = tape
        self._state = state
        self._cause = Cause(tape, state.agents, state.stuck)
        self._moved: dict[Mint, None] = {}
        self._applies = _applies()
        self._registers = True

    def fold(self, record: TapeRecord, entry: Entry | None) -> Iterable[None]:
        """Fold one input and its entry, if it got one; a large one while the caller goes through the result.

        So the caller may breathe within it. Raises `UnreadableRecord` or `EntryMissing`.
        """
        if entry is not None and len(entry.events) > EVENTS_BETWEEN_BREATHS:
            return self._fold_large(record, entry)
        asked = self._begin(record, entry)
        if entry is not None:
            self._apply(entry.events)
        self._end(asked, entry)
        return ()

    def take(self) -> Batch:
        """All that was folded since the last time."""
        state = self._state
        for mint in self._moved:
            row = marks.row_of(
                self._tape, mint, state.prices.get(mint, guard.EMPTY), state.decimals.get(mint)
            )
            self.batch.put(marks.MARKS, (self._tape, mint), row)
        self._moved = {}
        batch, self.batch = self.batch, Batch()
        return batch

    @property
    def size(self) -> int:
        """About how many rows wait to be taken."""
        return self.batch.size + len(self._moved)

    def _fold_large(self, record: TapeRecord, entry: Entry) -> Iterator[None]:
        asked = self._begin(record, entry)
        for first in range(0, len(entry.events), EVENTS_BETWEEN_BREATHS):
            self._apply(entry.events[first : first + EVENTS_BETWEEN_BREATHS])
            yield
        self._end(asked, entry)

    def _begin(self, record: TapeRecord, entry: Entry | None) -> Input | None:
        asked = _asked(record, entry)
        if entry is None:
            self.now = guard.clock(self.now, record.at)
            assert asked is not None  # noqa: S101 - only the input of an entry may be unreadable
            if not isinstance(asked.command, (ObservePrices, TimePassed, DropInput)):
                raise EntryMissing(
                    f"tape offset {record.offset}: {type(asked.command).__name__} got no entry"
                )
            return asked
        self.now = entry.at
        cause = self._cause
        cause.tape_offset, cause.at = entry.tape_offset, entry.at
        cause.input_id = None if asked is None else asked.id
        # Which reading registered a mint matters to the readings beside it: then `_observe` sees to it.
        self._registers = asked is None or not isinstance(asked.command, ObservePrices)
        row = inputs.row_of(self._tape, entry, asked)
        self.batch.put(inputs.INPUTS, (self._tape, entry.tape_offset), row)
        if asked is not None and asked.origin is not None:
            place = asked.origin
            key = (self._tape, place.topic, place.partition)
            self.batch.put(origins.ORIGINS, key, origins.OriginRow(*key, place.passed))
        return asked

    def _apply(self, events: Sequence[Event]) -> None:
        applies, cause, batch = self._applies, self._cause, self.batch
        for event in events:
            for apply in applies.get(type(event), ()):
                apply(event, cause, batch)
            if self._registers and isinstance(event, MintRegistered):
                self._register(event)
        self.events += len(events)

    def _end(self, asked: Input | None, entry: Entry | None) -> None:
        if asked is not None and isinstance(asked.command, ObservePrices) and not _is_void(entry):
            self._observe(asked.command, entry)

    def _observe(self, command: ObservePrices, entry: Entry | None) -> None:
        prices, decimals = self._state.prices, self._state.decimals
        fixed = {} if entry is None else fixed_by_fills(entry.events)
        for number, reading in enumerate(command.readings, 1):
            mint = reading.mint
            before = prices.get(mint, guard.EMPTY)
            after, verdict = guard.observe(before, reading, self.now, decimals.get(mint))
            if after is not before:
                prices[mint] = after
                self._moved[mint] = None
            # As the trader does: the first accepted reading that states decimals fixes them, or a fill.
            if isinstance(verdict, guard.Accepted) and reading.decimals is not None:
                decimals.setdefault(mint, reading.decimals)
            if number in fixed:
                self._register(fixed[number])

    def _register(self, event: MintRegistered) -> None:
        self._state.decimals[event.mint] = event.decimals
        self._moved[event.mint] = None


def _asked(record: TapeRecord, entry: Entry | None) -> Input | None:
    try:
        return decode_input(record)
    except UnreadableRecord:
        if entry is not None and any(isinstance(event, InputDropped) for event in entry.events):
            return None
        raise


def _is_void(entry: Entry | None) -> bool:
    """Whether the input had no effect: a copy, or dropped."""
    return entry is not None and any(
        isinstance(event, (InputRepeated, InputDropped)) for event in entry.events
    )


Apply = Callable[[Any, Cause, Batch], None]


def _applies() -> dict[type[Event], tuple[Apply, ...]]:
    applies: defaultdict[type[Event], list[Apply]] = defaultdict(list)
    for projection in PROJECTIONS:
        for kind, apply in projection.folds.items():
            applies[kind].append(apply)
    return {kind: tuple(each) for kind, each in applies.items()}
