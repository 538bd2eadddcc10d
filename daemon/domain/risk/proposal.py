"""What a risk rule is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from daemon.domain.events import SignalReceived
from daemon.domain.fills import Execution, Refusal
from daemon.domain.state import AgentState


class Proposal(NamedTuple):
    """An entry that a signal proposes for one agent."""

    signal: SignalReceived
    agent: AgentState
    now: int
    spend: int
    """Lamports it would spend, fees included; 0 until it is sized."""
    execution: Execution | Refusal | None
    """What it would get right now; None until it is sized, and where it would have to wait for a price."""


class Denial(NamedTuple):
    """A rule said no: its name, its limit and the value that broke it."""

    rule: str
    limit: str
    value: str


Rule = Callable[[Proposal], Denial | None]
