"""Some SOL may have to remain after an entry."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal
from daemon.domain.values import SOL, SOL_DECIMALS, from_units, plain, to_units


def minimum_balance(proposal: Proposal) -> Denial | None:
    """Deny an entry that leaves less free SOL than `purchaseLimits.minimumAgentBalance`."""
    minimum = proposal.agent.config.purchase_limits.minimum_agent_balance
    left = proposal.agent.free(SOL) - proposal.spend
    if not minimum or left >= to_units(minimum, SOL_DECIMALS):
        return None
    return Denial("minimum_balance", f"{plain(minimum)} SOL", f"{plain(from_units(left, SOL_DECIMALS))} SOL")
