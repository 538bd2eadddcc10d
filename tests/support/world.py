"""A whole tape in one process without a log: inputs with times go in, entries come out, all of it is stored.

Inputs go through their stored bytes, as they do in the trader. `refolded` folds what was stored from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from daemon.domain.commands import (
    Actor,
    AnyCommand,
    ClosePosition,
    CreateAgent,
    Deposit,
    DropInput,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
    TimePassed,
)
from daemon.domain.events import AgentEvent, AnyEvent
from daemon.domain.exits import falling_trigger
from daemon.domain.inputs import decide_input, drop
from daemon.domain.state import AgentState
from daemon.domain.tape import Tape
from daemon.domain.values import (
    LAMPORTS_PER_SOL,
    AgentId,
    InputId,
    Mint,
    Owner,
    PositionId,
    Price,
    use_context,
)
from daemon.records import (
    GENESIS,
    ChainReader,
    JournalRecord,
    TapeRecord,
    UnreadableRecord,
    body_hash,
    decode_input,
    encode,
    seal,
)
from tests.support.examples import AT, MINT, OWNER, some_id

AnyEventType = TypeVar("AnyEventType", bound=AnyEvent)


@dataclass
class _Saved:
    offset: int
    at: int
    records: int
    journal: int
    hash: str


class World:
    """A tape, its journal, and a clock that the test turns."""

    def __init__(self, at: int = AT) -> None:
        use_context()
        self.tape = Tape()
        self.at = at
        self.records: list[TapeRecord] = []
        self.journal: list[JournalRecord] = []
        self.entries: dict[int, list[AnyEvent] | None] = {}
        self._hash = GENESIS
        self._holds = False
        self._saved = self._save()

    # --- giving inputs -----------------------------------------------------------------------------------

    def give(
        self,
        command: AnyCommand,
        *,
        at: int | None = None,
        after: int = 1_000,
        owner: Owner = OWNER,
        input_id: str | None = None,
        body: str | None = None,
        keyed: bool = True,
    ) -> list[AnyEvent]:
        """Put a command on the tape, by default a second after the last one, and decide it."""
        given = Input(
            id=InputId(input_id or some_id(f"input {len(self.records)}")),
            actor=Actor(owner=owner, key="key-1"),
            command=command,
            route="" if isinstance(command, TimePassed) else "POST /api/v1/test",
            hash=body_hash(encode(command).decode() if body is None else body),
            keyed=keyed,
        )
        return self.give_bytes(encode(given), at=self.at + after if at is None else at)

    def give_bytes(self, data: bytes, *, at: int) -> list[AnyEvent]:
        """Put stored bytes on the tape and decide them; an exception leaves no trace."""
        record = TapeRecord(len(self.records), at, data)
        savepoint = self.tape.undo.savepoint()
        try:
            events = run(self.tape, record)
        except BaseException:
            self.tape.undo.rollback(savepoint)
            raise
        return self._append(record, events)

    def give_dropped(self, data: bytes, *, after: int = 1_000) -> list[AnyEvent]:
        """Put bytes on the tape that an operator lets the trader skip."""
        record = TapeRecord(len(self.records), self.at + after, data)
        by = Input(
            id=InputId("drop"),
            actor=Actor(owner=OWNER, key="key-1"),
            command=DropInput(offset=record.offset, reason="unreadable"),
        )
        return self._append(record, drop(self.tape, record.offset, record.at, by))

    def _append(self, record: TapeRecord, events: list[AnyEvent] | None) -> list[AnyEvent]:
        self.at = record.at
        self.records.append(record)
        self.entries[record.offset] = events
        if events is not None:
            sealed = seal(self._hash, record.offset, self.tape.now, [encode(each) for each in events])
            self._hash = sealed.hash
            for part in sealed.parts:
                self.journal.append(JournalRecord(len(self.journal), record.offset, part))
        if not self._holds:
            self.commit()
        return events or []

    # --- batches -----------------------------------------------------------------------------------------

    def hold(self) -> None:
        """From here on nothing is committed by itself."""
        self._holds = True

    def commit(self) -> None:
        """Keep what was decided, as after a commit."""
        self.tape.undo.forget()
        self.tape.seen.compact()
        self.tape.index.next_deadline()
        self._saved = self._save()

    def rollback(self) -> None:
        """Take back all since the last commit."""
        self.tape.undo.rollback()
        saved = self._saved
        self.at, self._hash = saved.at, saved.hash
        del self.records[saved.records :]
        del self.journal[saved.journal :]
        self.entries = {offset: each for offset, each in self.entries.items() if offset < saved.records}

    def _save(self) -> _Saved:
        return _Saved(len(self.records) - 1, self.at, len(self.records), len(self.journal), self._hash)

    # --- words -------------------------------------------------------------------------------------------

    def agent(
        self,
        name: str = "Momentum",
        *,
        config: Mapping[str, Any] | None = None,
        sol: int = 10,
        owner: Owner = OWNER,
    ) -> AgentId:
        """A new agent with some SOL."""
        agent_id = AgentId(some_id(f"input {len(self.records)}"))
        created = CreateAgent(name=name, mode="simulation", config=None if config is None else dict(config))
        self.give(created, owner=owner)
        if sol:
            self.give(Deposit(agent_id=agent_id, lamports=sol * LAMPORTS_PER_SOL), owner=owner)
        return agent_id

    def price(
        self,
        price: str,
        mint: Mint = MINT,
        *,
        source: str = "test",
        low: str | None = None,
        high: str | None = None,
        observed_at: int | None = None,
        liquidity: int | None = None,
        decimals: int | None = None,
        after: int = 1_000,
        at: int | None = None,
    ) -> list[AnyEvent]:
        """One reading."""
        reading = Reading(
            mint=mint,
            price=Price(price),
            source=source,
            low=None if low is None else Price(low),
            high=None if high is None else Price(high),
            observed_at=observed_at,
            liquidity=liquidity,
            decimals=decimals,
        )
        return self.give(ObservePrices(readings=(reading,)), after=after, at=at, keyed=False)

    def signal(
        self,
        mint: Mint = MINT,
        *,
        owner: Owner = OWNER,
        agents: Iterable[AgentId] | None = None,
        input_id: str | None = None,
        after: int = 1_000,
        expires_at: int | None = None,
    ) -> list[AnyEvent]:
        """A signal to buy."""
        command = HandleSignal(
            mint=mint,
            signal_type="buy",
            strength=3,
            expires_at=expires_at,
            agent_ids=None if agents is None else tuple(agents),
        )
        return self.give(command, owner=owner, input_id=input_id, after=after)

    def close(self, position: PositionId, *, owner: Owner = OWNER) -> list[AnyEvent]:
        """A manual close."""
        return self.give(ClosePosition(position_id=position), owner=owner)

    def wait(self, ms: int) -> list[AnyEvent]:
        """Time passes."""
        return self.give(TimePassed(), after=ms, keyed=False)

    # --- looking -----------------------------------------------------------------------------------------

    def state(self, agent: AgentId) -> AgentState:
        """One agent's state."""
        return self.tape.agents[agent]

    def position(self, agent: AgentId, mint: Mint = MINT) -> PositionId:
        """The id of an open position."""
        return self.tape.agents[agent].positions[mint].position_id

    def journal_bytes(self) -> list[bytes]:
        """The stored journal."""
        return [record.data for record in self.journal]

    def refolded(self) -> Tape:
        """The tape that a start folds from what is stored."""
        return folded(self.records, self.journal)


def run(tape: Tape, record: TapeRecord) -> list[AnyEvent] | None:
    """Decide one record to its end."""
    steps = decide_input(tape, record.offset, record.at, decode_input(record))
    while True:
        try:
            next(steps)
        except StopIteration as done:
            events: list[AnyEvent] | None = done.value
            return events


def folded(records: Iterable[TapeRecord], journal: Iterable[JournalRecord]) -> Tape:
    """Fold a stored tape and its journal from nothing."""
    use_context()
    entries = {entry.tape_offset: entry.events for entry in ChainReader().read(journal)}
    tape = Tape()
    for record in records:
        try:
            given = decode_input(record)
        except UnreadableRecord:
            given = None
        tape.fold(record.offset, record.at, given, entries.get(record.offset, ()))
    return tape


def knowledge(tape: Tape) -> dict[str, Any]:
    """All that a tape knows, in a form that compares: whatever its next decisions depend on."""
    index = tape.index
    counts = [each for stretch in tape.seen.stretches() for each in stretch.ids()]
    return {
        "now": tape.now,
        "agents": sorted(tape.agents.items(), key=lambda item: tape.numbers[item[0]]),
        "numbers": tape.numbers,
        "owners": {owner: list(each) for owner, each in tape.owners.items() if each},
        "positions": tape.positions,
        "prices": tape.prices,
        "mints": tape.mints,
        "seen": [(each.id, each.at, first_of(tape, each.id)) for each in counts],
        "waiting": {mint: index.waiting(mint) for mint in index._waiting if index.waiting(mint)},
        "deadlines": {
            (each.at, each.agent_id, each.order_id) for each in index._deadlines if index._pends(each)
        },
        "triggers": {
            (mint, each.falling, each.agent_id, each.position_id)
            for mint, triggers in index._triggers.items()
            for each in triggers
        },
    }


def first_of(tape: Tape, input_id: InputId) -> tuple[int, str] | None:
    """Offset and hash under which an id was first seen."""
    first = tape.seen.get(input_id)
    return None if first is None else (first.offset, first.hash)


def expected_triggers(tape: Tape) -> set[tuple[Any, ...]]:
    """The triggers that the index must hold, recomputed from the agents."""
    return {
        (mint, -trigger, agent.agent_id, held.position_id)
        for agent in tape.agents.values()
        for mint, held in agent.positions.items()
        if (trigger := falling_trigger(held, agent.config)) is not None
    }


def of_agent(events: Iterable[AnyEvent], agent: AgentId) -> list[AnyEvent]:
    """The events of one agent."""
    return [each for each in events if isinstance(each, AgentEvent) and each.agent_id == agent]


def kinds(events: Iterable[AnyEvent]) -> list[str]:
    """Names of events, in order."""
    return [type(each).__name__ for each in events]


def only(events: Iterable[AnyEvent], kind: type[AnyEventType]) -> AnyEventType:
    """The one event of this kind."""
    found = [each for each in events if isinstance(each, kind)]
    assert len(found) == 1, list(events)
    return found[0]
