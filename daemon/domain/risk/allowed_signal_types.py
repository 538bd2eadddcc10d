"""An agent may listen to some signal types only."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def allowed_signal_types(proposal: Proposal) -> Denial | None:
    """Deny a signal type that `signals.allowedSignalTypes` does not name, unless it is empty."""
    allowed = proposal.agent.config.signals.allowed_signal_types
    if not allowed or proposal.signal.signal_type in allowed:
        return None
    return Denial("allowed_signal_types", ", ".join(allowed), proposal.signal.signal_type)
