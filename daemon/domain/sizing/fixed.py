"""A fixed amount per entry."""

from __future__ import annotations

from daemon.domain.state import AgentState


def fixed(agent: AgentState) -> int:
    """`sizing.amount`, in lamports."""
    return agent.config.sizing.lamports
