"""An entry spends and gets at least one base unit, and no more than 2^64−1."""

from __future__ import annotations

from daemon.domain.fills import Refusal
from daemon.domain.risk.proposal import Denial, Proposal


def quantity(proposal: Proposal) -> Denial | None:
    """Deny a size that rounds to nothing or exceeds what can be held; it is never raised."""
    if proposal.spend <= 0:
        return Denial("quantity", "at least 1 lamport", str(proposal.spend))
    if isinstance(proposal.execution, Refusal):
        return Denial("quantity", proposal.execution.limit, proposal.execution.value)
    return None
