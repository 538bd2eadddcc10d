"""The risk rules, one a file, as values in the order in which they are asked.

The first that says no decides. A new rule is its own file, a line here and its fields in `config.py`.
"""

from __future__ import annotations

from typing import Final

from daemon.domain.risk.allowed_signal_types import allowed_signal_types
from daemon.domain.risk.already_open import already_open
from daemon.domain.risk.balance import balance
from daemon.domain.risk.max_open_positions import max_open_positions
from daemon.domain.risk.min_strength import min_strength
from daemon.domain.risk.minimum_balance import minimum_balance
from daemon.domain.risk.paused import paused
from daemon.domain.risk.proposal import Denial, Proposal, Rule
from daemon.domain.risk.quantity import quantity
from daemon.domain.risk.quarantined import quarantined
from daemon.domain.risk.signal_expiry import signal_expiry

__all__ = ["RULES", "SIZED_RULES", "Denial", "Proposal", "Rule", "ask"]

RULES: Final[tuple[Rule, ...]] = (
    # signal filters
    signal_expiry,
    min_strength,
    allowed_signal_types,
    # agent
    paused,
    quarantined,
    max_open_positions,
    already_open,
)
"""Asked before the entry is sized."""

SIZED_RULES: Final[tuple[Rule, ...]] = (
    # portfolio
    balance,
    minimum_balance,
    # market
    quantity,
)
"""Asked after the entry is sized."""


def ask(rules: tuple[Rule, ...], proposal: Proposal) -> Denial | None:
    """The first denial, if any."""
    for rule in rules:
        denial = rule(proposal)
        if denial is not None:
            return denial
    return None
