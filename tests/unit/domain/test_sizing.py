from __future__ import annotations

import pytest

from daemon.domain.commands import Deposit
from daemon.domain.sizing import SIZING
from daemon.domain.values import SOL, SignalId
from tests.support.examples import AGENT, some_id
from tests.support.given import deposited, given, signal


def spent(config: dict[str, str], lamports: int) -> int:
    """What an agent with this balance would spend."""
    agent = given(deposited(lamports), config={"sizing": config}).state
    return SIZING[config["mode"]](agent)


def test_a_fixed_amount_is_spent() -> None:
    """Mode `fixed` spends the amount whatever the balance is."""
    assert spent({"mode": "fixed", "amount": "1.5"}, 10**9) == 1_500_000_000


@pytest.mark.parametrize(
    ("percent", "balance", "lamports"),
    [("10", 10_000_000_000, 1_000_000_000), ("33.3", 100, 33), ("50", 3, 1), ("100", 7, 7), ("0.1", 999, 0)],
)
def test_a_percentage_is_rounded_down(percent: str, balance: int, lamports: int) -> None:
    """Mode `percent` spends that share of the free balance, rounded down to lamports."""
    assert spent({"mode": "percent", "percent": percent}, balance) == lamports


def test_a_percentage_is_taken_of_what_is_free() -> None:
    """What a waiting order has reserved is no part of the base."""
    agent = given(config={"sizing": {"mode": "percent", "percent": "50"}}, sol=8)
    waiting = agent.when(signal()).next()
    assert [order.quantity for order in waiting.state.orders.values()] == [4_000_000_000]
    second = waiting.when(signal(signal_id=SignalId(some_id("second")))).next()
    assert [order.quantity for order in second.state.orders.values()] == [4_000_000_000, 2_000_000_000]
    assert second.when(Deposit(agent_id=AGENT, lamports=2)).state.balances[SOL] == 8_000_000_002
