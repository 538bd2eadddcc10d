"""A quarantined agent enters nothing; its exits go on."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def quarantined(proposal: Proposal) -> Denial | None:
    """Deny every entry of a quarantined agent."""
    return Denial("quarantined", "released", "quarantined") if proposal.agent.quarantined else None
