"""What the posters have asked, and what was acknowledged: the suite's own memory, outside the product."""

from __future__ import annotations

import uuid
import zlib
from dataclasses import dataclass, field
from typing import Any, Final

from daemon.domain.ids import NAMESPACE

NO_OUTCOME: Final = 202
"""Durable, but what it led to was not said."""
REPEATS: Final = "IDEMPOTENCY_MISMATCH"
EVERYWHERE: Final = "prices"
"""The kind of request that is recorded on every tape."""


@dataclass(frozen=True)
class Answer:
    """One definite answer to a request."""

    status: int
    code: str | None
    resource: str | None
    places: tuple[tuple[int, int], ...]
    """Tape and offset, wherever it was recorded."""
    is_replay: bool

    @classmethod
    def of(cls, status: int, headers: Any, body: Any) -> Answer:
        given = body if isinstance(body, dict) else {}
        return cls(
            status,
            given.get("code"),
            given.get("id") or given.get("agentId"),
            tuple((each["tape"], each["offset"]) for each in given.get("recorded") or ()),
            headers.get("Idempotency-Replayed") == "true",
        )

    @property
    def tells_outcome(self) -> bool:
        return self.status != NO_OUTCOME

    def contradicts(self, first: Answer) -> bool:
        """Whether both tell the outcome, and not the same one."""
        if not (self.tells_outcome and first.tells_outcome):
            return False
        return (self.status, self.code, self.resource, self.places) != (
            first.status,
            first.code,
            first.resource,
            first.places,
        )


@dataclass
class Ask:
    """One request under one idempotency key, however often it is sent."""

    kind: str
    owner: str
    method: str
    path: str
    body: dict[str, Any] | None
    key: str
    agents: tuple[str, ...] = ()
    """Of a signal: who must decide on it, each once."""
    no_wait: bool = False
    attempts: int = 0
    answers: list[Answer] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The input's id, derived as the design says and not by the product's code."""
        return str(
            uuid.uuid5(NAMESPACE, "\0".join(("input", self.owner, f"{self.method} {self.path}", self.key)))
        )

    @property
    def outcome(self) -> Answer | None:
        """The first answer that told the outcome."""
        return next((each for each in self.answers if each.tells_outcome), None)

    def tapes(self, of: int) -> range:
        """Where it must stand, of so many tapes, as the design says."""
        if self.kind == EVERYWHERE:
            return range(of)
        home = zlib.crc32(self.owner.encode()) % of
        return range(home, home + 1)

    def __str__(self) -> str:
        said = ", ".join(
            f"{each.status} at {' '.join(f'{tape}/{offset}' for tape, offset in each.places)}"
            for each in self.answers
        )
        return f"{self.kind} {self.method} {self.path} key {self.key} input {self.id} ({said})"


Answered = list[tuple[Ask, tuple[Answer, ...]]]


@dataclass
class Book:
    """All that is acknowledged, in the order of the acknowledgments, and what went wrong on the way."""

    acknowledged: list[Ask] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    attempts: int = 0
    retried: int = 0
    """Acknowledged only after an attempt without an answer."""
    refusals: dict[str, int] = field(default_factory=dict)
    """Answers that asked to try again, by status and code."""

    def answered(self) -> Answered:
        """What is acknowledged by now; what comes later is not in it."""
        return [(ask, tuple(ask.answers)) for ask in self.acknowledged]

    def refused(self, what: str) -> None:
        self.refusals[what] = self.refusals.get(what, 0) + 1

    def take(self, ask: Ask, answer: Answer) -> None:
        """Note a definite answer; it must agree with those before."""
        first = ask.outcome
        if first is not None and answer.contradicts(first):
            self.wrong.append(f"a retry got another answer than the first one: {ask}, now {answer}")
        ask.answers.append(answer)
        if len(ask.answers) == 1:
            self.acknowledged.append(ask)
            self.retried += ask.attempts > 1
