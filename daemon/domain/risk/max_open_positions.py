"""An agent holds no more positions than its config allows; waiting entries count."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def max_open_positions(proposal: Proposal) -> Denial | None:
    """Deny an entry into a further mint at `purchaseLimits.maxOpenPositions`."""
    agent = proposal.agent
    limit = agent.config.purchase_limits.max_open_positions
    if limit is None:
        return None
    held = agent.open_mints()
    if held < limit or _holds(proposal):
        return None
    return Denial("max_open_positions", str(limit), str(held))


def _holds(proposal: Proposal) -> bool:
    agent, mint = proposal.agent, proposal.signal.mint
    return mint in agent.positions or any(
        order.mint == mint and order.side == "buy" for order in agent.orders.values()
    )
