"""What one input of the tape decides: which agents it concerns, and all of their events as one entry.

`decide_input` is a generator: it yields after each agent, so that a large fan-out can let others run, and
returns the events, or None for prices that decide nothing. It evolves the tape as it goes.
"""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import Final, assert_never

from pydantic import ValidationError

from daemon.domain import agent as deciders
from daemon.domain.agent import AgentCommand, CheckExit, FillWaiting, OrdersDue, Run
from daemon.domain.commands import (
    ClosePosition,
    ConfigureAgent,
    CreateAgent,
    DeleteAgent,
    Deposit,
    DropInput,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
    ReleaseAgent,
    TimePassed,
    UpdateAgent,
)
from daemon.domain.config import first_fault, resolve
from daemon.domain.errors import BrokenInvariant
from daemon.domain.events import (
    AgentCreated,
    AnyEvent,
    ClockSteppedBack,
    CommandDenied,
    InputDropped,
    InputRepeated,
    MintRegistered,
    OrderFilled,
    PriceRefused,
    SignalReceived,
)
from daemon.domain.marks import AGE_MS_MAX, Accepted, Reason, Refused
from daemon.domain.quarantine import quarantine
from daemon.domain.state import Context
from daemon.domain.tape import Tape
from daemon.domain.values import TOKEN_DECIMALS_DEFAULT, AgentId, Mint, Price, SignalId

SIGNAL_EXPIRY_MS: Final = 5 * 60 * 1000
"""How long a signal may trade after it was appended, if it does not say."""

Events = list[AnyEvent]
Steps = Generator[None, None, None]

AgentInput = ClosePosition | ConfigureAgent | DeleteAgent | Deposit | ReleaseAgent | UpdateAgent


def decide_input(tape: Tape, offset: int, at: int, given: Input) -> Generator[None, None, Events | None]:
    """Decide one input that the log stamped `at`; runs under the savepoints of `tape.undo`."""
    entry = _Entry(tape, offset, given)
    for agent_id in entry.pass_time(at):
        entry.run(agent_id, OrdersDue())
        yield
    yield from entry.answer()
    if isinstance(given.command, ObservePrices) and not entry.events:
        return None
    return entry.events


def drop(tape: Tape, offset: int, at: int, by: Input) -> Events:
    """Skip an input on which the trader has halted, because `by` says so; its bytes are not looked at."""
    entry = _Entry(tape, offset, by)
    for agent_id in entry.pass_time(at):
        entry.run(agent_id, OrdersDue())
    reason = by.command.reason if isinstance(by.command, DropInput) else ""
    entry.events.append(InputDropped(by=by.actor.owner, key=by.actor.key, reason=reason))
    return entry.events


class _Entry:
    """The entry of one input, under way."""

    def __init__(self, tape: Tape, offset: int, given: Input) -> None:
        self.tape = tape
        self.offset = offset
        self.given = given
        self.events: Events = []
        self._context: Context | None = None

    def pass_time(self, at: int) -> list[AgentId]:
        """Fold the input's time first; returns whose orders are due by then, which comes before the input."""
        tape = self.tape
        before = tape.advance(at)
        if tape.now < before:
            self.events.append(ClockSteppedBack(from_at=before, to_at=tape.now))
            return tape.index.all_waiting()
        return tape.index.due(tape.now)

    def answer(self) -> Steps:
        """Decide the input itself, unless it stands on the tape already."""
        given = self.given
        first = self.tape.first(self.offset, given)
        if first is not None:
            same = first.hash == given.hash
            self.events.append(InputRepeated(input_id=given.id, first_offset=first.offset, same_body=same))
            return
        self.tape.remember(self.offset, given)
        match given.command:
            case ObservePrices(readings=readings):
                for number, reading in enumerate(readings, 1):
                    if self.observe(reading):
                        yield from self.trade_at(reading, number)
            case HandleSignal():
                yield from self.signal(given.command)
            case CreateAgent():
                self.create(given.command)
            case ClosePosition(position_id=position_id):
                agent_id = self.tape.positions.get(position_id)
                if agent_id is None or self.tape.owned(agent_id, given.actor.owner) is None:
                    self.deny("POSITION_NOT_FOUND", "open_position", position_id)
                else:
                    self.agent_input(agent_id, given.command)
            case ConfigureAgent() | DeleteAgent() | Deposit() | ReleaseAgent() | UpdateAgent():
                self.agent_input(given.command.agent_id, given.command)
            case TimePassed() | DropInput():
                pass  # time has passed above; a drop acts only on a halted trader, which looks ahead for it
            case _:
                assert_never(given.command)

    def observe(self, reading: Reading) -> bool:
        """One reading through the guard; whether it may trade and anybody is concerned."""
        tape, mint = self.tape, reading.mint
        known = mint in tape.mints
        verdict = tape.observe(reading)
        if not isinstance(verdict, Accepted):
            if isinstance(verdict, Refused) and not verdict.said:
                self.refused(reading, verdict.reason, verdict.limit, verdict.value)
            return False
        if verdict.old_ms is not None:
            self.refused(reading, "age", f"{AGE_MS_MAX} ms", f"{verdict.old_ms} ms")
        if reading.decimals is not None and not known:
            self.events.append(MintRegistered(mint=mint, decimals=reading.decimals, source=reading.source))
        return tape.index.concerns(mint, _low(reading))

    def trade_at(self, reading: Reading, number: int) -> Steps:
        """Whatever an accepted reading stops, then whatever it fills.

        What it fills is not stopped by it: its low was seen before its price was paid.
        """
        tape, mint = self.tape, reading.mint
        for agent_id in tape.index.triggered(mint, _low(reading)):
            self.run(agent_id, CheckExit(mint))
            yield
        place = len(self.events)
        for agent_id in tape.index.waiting(mint):
            self.run(agent_id, FillWaiting(mint))
            yield
        self.fix_decimals(mint, place, number)

    def refused(self, reading: Reading, reason: Reason, limit: str, value: str) -> None:
        """Say that a reading may not trade."""
        self.events.append(
            PriceRefused(
                mint=reading.mint,
                source=reading.source,
                reason=reason,
                price=reading.price,
                limit=limit,
                value=value,
            )
        )

    def signal(self, command: HandleSignal) -> Steps:
        """A signal reaches all agents of its owner, or those it names; an unknown one refuses it whole."""
        tape, owner = self.tape, self.given.actor.owner
        if command.agent_ids is None:
            agents = tape.agents_of(owner)
        else:
            for each in command.agent_ids:
                if tape.owned(each, owner) is None:
                    self.deny("AGENT_NOT_FOUND", "agent_ids", each)
                    return
            # In order of creation and each once, whatever the signal says: a second run would buy twice.
            agents = sorted(dict.fromkeys(command.agent_ids), key=tape.numbers.__getitem__)
        signal = self.received(command)
        self.events.append(signal)
        place = len(self.events)
        for agent_id in agents:
            self.run(agent_id, signal)
            yield
        self.fix_decimals(command.mint, place)

    def fix_decimals(self, mint: Mint, place: int, readings: int = 0) -> None:
        """Fix a mint's decimals by the first fill since `place`, where no price has stated any.

        Not by the order: a signal that comes before its mint's first price must not fix them wrongly.
        """
        if mint in self.tape.mints:
            return
        if any(isinstance(event, OrderFilled) for event in islice(self.events, place, None)):
            registered = MintRegistered(
                mint=mint, decimals=TOKEN_DECIMALS_DEFAULT, source="first fill", readings=readings
            )
            self.tape.evolve(registered)
            self.events.insert(place, registered)

    def received(self, command: HandleSignal) -> SignalReceived:
        """The signal as its event holds it. Its id is the input's."""
        expires_at = command.expires_at
        return SignalReceived(
            signal_id=SignalId(self.given.id),
            owner=self.given.actor.owner,
            mint=command.mint,
            signal_type=command.signal_type,
            strength=command.strength,
            expires_at=self.tape.now + SIGNAL_EXPIRY_MS if expires_at is None else expires_at,
            symbol=command.symbol,
            source=command.source,
            reason=command.reason,
            price=command.price,
            agent_ids=command.agent_ids,
        )

    def create(self, command: CreateAgent) -> None:
        """A new agent. Its id is the input's."""
        if command.mode == "live":
            self.events.append(
                CommandDenied(code="LIVE_UNAVAILABLE", rule="mode", limit="simulation", value="live")
            )
            return
        agent_id = AgentId(self.given.id)
        if agent_id in self.tape.agents:  # an idempotency key so old that its id was forgotten
            self.deny("AGENT_EXISTS", "agent_id", agent_id)
            return
        if command.config is not None:
            try:
                resolve(command.config)
            except ValidationError as error:
                self.deny("CONFIG_INVALID", "config", first_fault(error))
                return
        created = AgentCreated(
            agent_id=agent_id, owner=self.given.actor.owner, name=command.name, mode=command.mode
        )
        self.tape.evolve(created)
        self.events.append(created)
        if command.config is not None:
            self.run(agent_id, ConfigureAgent(agent_id=agent_id, config=command.config))

    def agent_input(self, agent_id: AgentId, command: AgentInput) -> None:
        """A command for one agent, which must be the actor's own."""
        if self.tape.owned(agent_id, self.given.actor.owner) is None:
            self.deny("AGENT_NOT_FOUND", "agent_id", agent_id)
            return
        run = self.run(agent_id, command)
        if run.denied is not None:
            self.events.append(run.denied)
        elif run.failed:
            self.deny("AGENT_QUARANTINED", "decision", type(command).__name__)

    def deny(self, code: str, rule: str, value: str) -> None:
        """Refuse the input as a whole."""
        self.events.append(CommandDenied(code=code, rule=rule, value=value))

    def run(self, agent_id: AgentId, command: AgentCommand) -> Run:
        """Let one agent decide. Its trouble is its own: an exception quarantines it and touches nobody else.

        MemoryError, RecursionError and OSError end the process: they would not repeat in a replay.
        """
        tape = self.tape
        state = tape.agents[agent_id]
        context = self._context
        if context is None:
            context = self._context = tape.context(self.given.id)
        try:
            run = deciders.run_command(state, command, context)
        except (MemoryError, RecursionError, OSError, BrokenInvariant):
            raise
        except Exception as error:  # noqa: BLE001 - the place where an agent's trouble ends
            run = quarantine(state, command, context, type(error).__name__)
        tape.adopt(state, run.events, run.state)
        self.events.extend(run.events)
        return run


def _low(reading: Reading) -> Price:
    return reading.price if reading.low is None else reading.low
