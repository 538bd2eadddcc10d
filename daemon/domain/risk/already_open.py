"""An agent may keep to one position per token."""

from __future__ import annotations

from daemon.domain.risk.proposal import Denial, Proposal


def already_open(proposal: Proposal) -> Denial | None:
    """Deny a mint that is held or about to be, with `purchaseLimits.onePositionPerToken`."""
    agent, mint = proposal.agent, proposal.signal.mint
    if not agent.config.purchase_limits.one_position_per_token:
        return None
    position = agent.positions.get(mint)
    if position is not None:
        return Denial("already_open", "1", position.position_id)
    waiting = next((each for each in agent.orders.values() if each.mint == mint and each.side == "buy"), None)
    return None if waiting is None else Denial("already_open", "1", waiting.order_id)
