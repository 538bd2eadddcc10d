"""A signal trades only before it expires."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def signal_expiry(proposal: Proposal) -> Denial | None:
    """Deny a signal whose expiry has come."""
    expires_at = proposal.signal.expires_at
    if proposal.now < expires_at:
        return None
    return Denial("signal_expiry", f"{expires_at} ms", f"{proposal.now} ms")
