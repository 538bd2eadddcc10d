"""Reads tape and journal as they are stored, and holds them to what was acknowledged.

It decodes JSON and hashes bytes by itself: a mistake in the product's own reading cannot hide here. An audit
goes on where it stopped, so it costs little after each kill; a fresh one at the end reads all again.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, Final, NamedTuple

from tests.kill.accounts import Accounts, Event
from tests.kill.asks import Answer, Answered, Ask
from tests.kill.stored import Stored

GENESIS: Final = "0" * 64
MAY_BE_WITHOUT_ENTRY: Final = "ObservePrices"
NEVER: Final = frozenset({"AgentQuarantined", "ExitsQuarantined", "InputDropped", "ClockSteppedBack"})
EFFECTS: Final = {
    "SignalReceived": ("HandleSignal", "signal_id"),
    "FundsDeposited": ("Deposit", "deposit_id"),
    "AgentCreated": ("CreateAgent", "agent_id"),
}
"""Events that name the input they follow from: its command, and where they name it."""
CHANGES: Final = {
    "AgentUpdated": "UpdateAgent",
    "AgentConfigured": "ConfigureAgent",
    "AgentDeleted": "DeleteAgent",
}
"""Events that name only the agent; each follows from one input of that command."""


class Input(NamedTuple):
    """One input of the tape as stored."""

    offset: int
    id: str
    command: Event


class Audit:
    """What stands on one tape and its journal; `wrong` says where that breaks a promise."""

    def __init__(self, tape: int = 0, tapes: int = 1) -> None:
        self.wrong: list[str] = []
        self.accounts = Accounts(self.wrong)
        self.copies = 0
        self.reached = -1
        self.inputs: list[Input] = []
        self.first: dict[str, int] = {}
        self.denied: set[str] = set()
        self.decisions: dict[str, Counter[str]] = {}
        self.tape = tape
        self.records = 0
        self._tapes = tapes
        self._at = 0
        self._hash = GENESIS
        self._parts: list[Event] = []
        self._entries: dict[int, list[Event]] = {}
        self._versions: dict[str, int] = {}
        self._waiting: list[Ask] = []
        self._seen = 0

    def take(self, stored: Stored) -> None:
        """Go on with what was stored since the last time."""
        for offset, at, data in stored.inputs:
            self._take_input(offset, at, data)
        for offset, tape_offset, data in stored.records:
            self._take_record(offset, tape_offset, data)
        if (stored.next_input, stored.next_record) != (len(self.inputs), self.records):
            self.wrong.append(
                f"the heads say {stored.next_input} inputs and {stored.next_record} records,"
                f" there are {len(self.inputs)} and {self.records}"
            )
        if self._parts:
            self.wrong.append(f"the journal ends inside the entry of tape offset {self._entry_offset}")
        if not self.reached <= stored.reached < len(self.inputs):
            self.wrong.append(f"the journal has reached {stored.reached}, after {self.reached}")
            return
        while self.reached < stored.reached:
            self.reached += 1
            self._take_entry(self.inputs[self.reached], self._entries.pop(self.reached, None))
        self.wrong.extend(f"an entry of tape offset {each}, beyond what is reached" for each in self._entries)

    def hold_to(self, acknowledged: Answered) -> None:
        """Every request acknowledged before the reading: on the tape, and once decided, with its effect."""
        self._waiting += [ask for ask, _ in acknowledged[self._seen :] if self._holds(ask)]
        self._seen = len(acknowledged)
        still = []
        for ask in self._waiting:
            first = self.first.get(ask.id)
            if first is None:
                self.wrong.append(f"LOST: acknowledged, and not on the tape: {ask}")
            elif first > self.reached:
                still.append(ask)
            else:
                self._hold_effect(ask)
        self._waiting = still
        for ask, answers in acknowledged:
            if self._holds(ask):
                for answer in answers:
                    self._hold_place(ask, answer)

    def _holds(self, ask: Ask) -> bool:
        """Whether it must stand on this tape."""
        return self.tape in ask.tapes(self._tapes)

    # --- tape ------------------------------------------------------------------------------------------

    def _take_input(self, offset: int, at: int, data: str) -> None:
        if offset != len(self.inputs):
            self.wrong.append(f"tape: a gap or a copy: offset {offset} stands behind {len(self.inputs) - 1}")
        if at < self._at:
            self.wrong.append(f"tape: offset {offset} is stamped {at}, before {self._at}")
        self._at = at
        given = json.loads(data)
        self.inputs.append(Input(offset, given["id"], given["command"]))
        self.first.setdefault(given["id"], offset)

    # --- journal ---------------------------------------------------------------------------------------

    @property
    def _entry_offset(self) -> int | None:
        return self._parts[0]["tape_offset"] if self._parts else None

    def _take_record(self, offset: int, tape_offset: int, data: str) -> None:
        part = json.loads(data)
        where = f"journal offset {offset}"
        if offset != self.records:
            self.wrong.append(f"{where}: a gap or a copy, it stands behind {self.records - 1}")
        if part["prev"] != self._hash:
            self.wrong.append(f"{where}: the hash chain breaks")
        if part["tape_offset"] != tape_offset or part["part"] != len(self._parts):
            self.wrong.append(f"{where}: part {part['part']} of {part['tape_offset']} stands here")
        if tape_offset in self._entries or tape_offset <= self.reached:
            self.wrong.append(f"{where}: a second entry of tape offset {tape_offset}")
        self.records = offset + 1
        self._hash = hashlib.sha256(data.encode()).hexdigest()
        self._parts.append(part)
        if len(self._parts) == part["parts"]:
            self._entries[tape_offset] = [event for each in self._parts for event in each["events"]]
            self._parts = []

    def _take_entry(self, given: Input, events: list[Event] | None) -> None:
        kind = given.command["type"]
        where = f"tape offset {given.offset} ({kind} {given.id})"
        first = self.first[given.id]
        if events is None:
            if kind != MAY_BE_WITHOUT_ENTRY or first != given.offset:
                self.wrong.append(f"{where}: reached, and has no entry")
            return
        repeats = [event for event in events if event["type"] == "InputRepeated"]
        self.copies += first != given.offset
        if (len(repeats) == 1) != (first != given.offset) or any(
            (each["input_id"], each["first_offset"]) != (given.id, first) for each in repeats
        ):
            self.wrong.append(f"{where}: first at {first}, and {len(repeats)} times called repeated")
        if any(event["type"] == "CommandDenied" for event in events):
            self.denied.add(given.id)
        for event in events:
            self.accounts.take(where, event)
            if event["type"] in NEVER:
                self.wrong.append(f"{where}: {event}")
        self._hold_effects(where, given, events, is_first=first == given.offset)

    def _hold_effects(self, where: str, given: Input, events: list[Event], *, is_first: bool) -> None:
        """Each effect follows from this input, once, and from its first copy."""
        kind = given.command["type"]
        found = Counter(event["type"] for event in events)
        for name, command in [*((name, each[0]) for name, each in EFFECTS.items()), *CHANGES.items()]:
            expected = 1 if is_first and kind == command and given.id not in self.denied else 0
            if name == "AgentConfigured" and kind == "CreateAgent" and is_first:
                expected = 1 if given.command.get("config") is not None else 0
            if found[name] != expected:
                self.wrong.append(f"{where}: {found[name]} times {name}, expected {expected}")
        for event in events:
            name = event["type"]
            if name in EFFECTS and event[EFFECTS[name][1]] != given.id:
                self.wrong.append(f"{where}: {name} names {event[EFFECTS[name][1]]}")
            if name == "AgentConfigured":
                self._hold_version(where, event)
            if name == "FundsDeposited" and kind == "Deposit":
                moved = sum(entry["change"] for entry in event["ledger"])
                if moved != given.command["lamports"]:
                    self.wrong.append(f"{where}: {moved} lamports deposited of {given.command['lamports']}")
            if name == "SignalDenied" or (name == "OrderApproved" and event["purpose"] == "entry"):
                self.decisions.setdefault(event["signal_id"], Counter())[event["agent_id"]] += 1
                if event["signal_id"] != given.id:
                    self.wrong.append(f"{where}: decides on signal {event['signal_id']}")

    def _hold_version(self, where: str, event: Event) -> None:
        agent, version = event["agent_id"], event["version"]
        before = self._versions.get(agent)
        if before is not None and version != before + 1:
            self.wrong.append(f"{where}: config {version} of agent {agent} after {before}")
        self._versions[agent] = version

    # --- what was acknowledged ---------------------------------------------------------------------------

    def _hold_place(self, ask: Ask, answer: Answer) -> None:
        """The answer named the places where this very input stands."""
        if [tape for tape, _ in answer.places] != list(ask.tapes(self._tapes)):
            self.wrong.append(f"an answer names other tapes than it must: {ask}")
        for tape, offset in answer.places:
            if tape == self.tape and (offset >= len(self.inputs) or self.inputs[offset].id != ask.id):
                self.wrong.append(f"LOST: acknowledged at tape offset {offset}, not there: {ask}")

    def _hold_effect(self, ask: Ask) -> None:
        is_denied = ask.id in self.denied
        told = ask.outcome
        if told is not None and (told.status in {404, 409}) != is_denied:
            self.wrong.append(f"answered {told.status}, but the journal has denied={is_denied}: {ask}")
        if told is not None and (self.tape, self.first[ask.id]) not in told.places:
            self.wrong.append(f"the first copy stands at {self.first[ask.id]}: {ask}")
        if ask.kind != "signal":
            return
        decided = dict(self.decisions.get(ask.id, {}))
        expected: dict[str, Any] = {} if is_denied else dict.fromkeys(ask.agents, 1)
        if decided != expected:
            self.wrong.append(f"decisions {decided}, expected one for each of {sorted(expected)}: {ask}")
