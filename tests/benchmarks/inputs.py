"""Inputs as the API would put them onto the tape: agents with money, prices, signals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from daemon.domain import ids
from daemon.domain.commands import (
    Actor,
    AnyCommand,
    CreateAgent,
    Deposit,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
)
from daemon.domain.values import LAMPORTS_PER_SOL, AgentId, InputId, Mint, Owner, Price
from daemon.records import body_hash, encode

PRICE: Final = Price("0.0067")
STOP_PERCENT: Final = 10
SMALL: Final[dict[str, Any]] = {"sizing": {"amount": "0.01"}}
"""A config that buys little, so that money lasts."""
STOPPED: Final[dict[str, Any]] = {
    **SMALL,
    "stopLoss": {"enabled": True, "percent": str(STOP_PERCENT)},
    # Benchmarks may take longer than a minute between a price and the signal that trades on it.
    "market": {"maxPriceAgeSeconds": 3600},
}


def mint(number: int, series: str = "mint") -> Mint:
    """A mint's address."""
    return Mint(ids.simulated_wallet(AgentId(f"benchmark {series} {number}")))


def agent(number: int, series: str = "agent") -> AgentId:
    """An agent's id: that of the input which makes it."""
    return AgentId(ids.derive("benchmark", series, str(number)))


def encoded(command: AnyCommand, input_id: str, owner: str, *, keyed: bool = True) -> bytes:
    """An input as it is stored."""
    return encode(
        Input(
            id=InputId(input_id),
            actor=Actor(owner=Owner(owner), key="6f1d3c52-0c58-4d7e-9d5b-7a1c1d5a9b01"),
            command=command,
            route="POST /api/v1/benchmark",
            hash=body_hash(input_id),
            keyed=keyed,
        )
    )


def agents(
    count: int, owner: str, *, series: str = "agent", config: dict[str, Any] = SMALL, sol: int = 1_000
) -> Iterator[bytes]:
    """Agents with money."""
    for number in range(count):
        agent_id = agent(number, series)
        create = CreateAgent(name=f"{series} {number}", mode="simulation", config=config)
        yield encoded(create, agent_id, owner)
        deposit = Deposit(agent_id=agent_id, lamports=sol * LAMPORTS_PER_SOL)
        yield encoded(deposit, ids.derive("benchmark deposit", agent_id), owner)


def prices(mints: Sequence[Mint], price: Price = PRICE, name: str = "prices") -> bytes:
    """One reading of each of these mints, as one input."""
    readings = tuple(
        Reading(mint=each, price=price, source="benchmark", decimals=6, liquidity=10**15) for each in mints
    )
    return encoded(
        ObservePrices(readings=readings), ids.derive("benchmark", name, mints[0]), "operator", keyed=False
    )


def signal(name: str, owner: str, token: Mint, agent_ids: tuple[AgentId, ...] | None = None) -> bytes:
    """A signal to buy."""
    command = HandleSignal(
        mint=token, signal_type="buy", strength=4, symbol="BENCH", source="benchmark", agent_ids=agent_ids
    )
    return encoded(command, ids.derive("benchmark signal", name), owner)
