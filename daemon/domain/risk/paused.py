"""A paused agent enters nothing; its exits go on."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def paused(proposal: Proposal) -> Denial | None:
    """Deny every entry of a paused agent."""
    return Denial("paused", "active", "paused") if proposal.agent.paused else None
