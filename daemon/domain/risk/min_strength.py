"""Signals below the agent's least strength do not trade."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def min_strength(proposal: Proposal) -> Denial | None:
    """Deny a signal weaker than `signals.minStrength`."""
    limit = proposal.agent.config.signals.min_strength
    if proposal.signal.strength >= limit:
        return None
    return Denial("min_strength", str(limit), str(proposal.signal.strength))
