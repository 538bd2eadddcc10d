"""Which agents a signal reached, and of how many the text tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from daemon.domain.events import AgentQuarantined, OrderApproved, SignalDenied
from ops.why.journal import Place

AGENTS_SHOWN: Final = 10
"""Of a signal that reached more, the rest are counted only."""


class Reached(NamedTuple):
    """The agents that are told, None for all, and how many others had which outcome."""

    shown: frozenset[str] | None
    further: Mapping[str, int]


def first_reached(signal_id: str, place: Place | None) -> Reached:
    """The first agents in the order in which the signal's entry decides for them."""
    outcomes = [] if place is None else _outcomes(signal_id, place)
    if len(outcomes) <= AGENTS_SHOWN:
        return Reached(None, {})
    shown = frozenset(agent_id for agent_id, _ in outcomes[:AGENTS_SHOWN])
    return Reached(shown, Counter(outcome for _, outcome in outcomes[AGENTS_SHOWN:]))


def _outcomes(signal_id: str, place: Place) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for event in place.events:
        match event:
            case SignalDenied() if event.signal_id == signal_id:
                found.append((event.agent_id, "denied"))
            case OrderApproved() if event.signal_id == signal_id and event.purpose == "entry":
                found.append((event.agent_id, "approved"))
            case AgentQuarantined() if event.input_id == signal_id:
                found.append((event.agent_id, "quarantined"))
            case _:
                pass
    return found
