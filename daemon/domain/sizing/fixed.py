"""A fixed amount per entry."""

from __future__ import annotations

from daemon.domain.state import AgentState
from daemon.domain.values import SOL_DECIMALS, to_units


def fixed(agent: AgentState) -> int:
    """`sizing.amount`, in lamports."""
    return to_units(agent.config.sizing.amount, SOL_DECIMALS)
