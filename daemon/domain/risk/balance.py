"""An entry is paid from the free balance: what waiting orders have reserved is not spent twice."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal
from daemon.domain.values import SOL, SOL_DECIMALS, from_units, plain


def balance(proposal: Proposal) -> Denial | None:
    """Deny an entry that spends more than the free SOL balance."""
    free = proposal.agent.free(SOL)
    if proposal.spend <= free:
        return None
    limit, value = (plain(from_units(each, SOL_DECIMALS)) for each in (free, proposal.spend))
    return Denial("balance", f"{limit} SOL free", f"{value} SOL")
