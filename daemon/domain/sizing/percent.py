"""A share of the free balance per entry."""

from __future__ import annotations

from daemon.domain.state import AgentState
from daemon.domain.values import SOL, floor_units


def percent(agent: AgentState) -> int:
    """`sizing.percent` of the free SOL balance, rounded down to lamports."""
    return floor_units(agent.free(SOL) * agent.config.sizing.percent / 100)
