"""The state of one agent: what its next decision depends on, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from daemon.domain.commands import Mode
from daemon.domain.config import DEFAULT_CONFIG, AgentConfig
from daemon.domain.marks import Mark, MintPrices, is_fresh
from daemon.domain.order import Order
from daemon.domain.position import Position
from daemon.domain.values import SOL, TOKEN_DECIMALS_DEFAULT, AgentId, InputId, Mint, OrderId, Owner


class AgentState(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One agent. Its mappings are replaced, never changed."""

    agent_id: AgentId
    owner: Owner
    name: str
    mode: Mode
    paused: bool = False
    quarantined: bool = False
    deleted: bool = False
    config: AgentConfig = DEFAULT_CONFIG
    config_version: int = 0
    balances: dict[Mint, int] = msgspec.field(default_factory=dict)
    orders: dict[OrderId, Order] = msgspec.field(default_factory=dict)
    """Orders that have not ended."""
    positions: dict[Mint, Position] = msgspec.field(default_factory=dict)

    def free(self, mint: Mint) -> int:
        """The balance less what waiting orders have reserved."""
        balance = self.balances.get(mint, 0)
        for order in self.orders.values():
            if (SOL if order.side == "buy" else order.mint) == mint:
                balance -= order.quantity
        return balance

    def has_exit(self, mint: Mint) -> bool:
        """Whether a sale of this mint is waiting."""
        return any(order.mint == mint and order.side == "sell" for order in self.orders.values())

    def open_mints(self) -> int:
        """Mints that are held or are about to be: open positions and waiting entries."""
        waiting = {order.mint for order in self.orders.values() if order.side == "buy"}
        return len(self.positions) + sum(1 for mint in waiting if mint not in self.positions)


class Context(NamedTuple):
    """What a decision may look at besides the agent: given, never fetched."""

    now: int
    input_id: InputId
    prices: Mapping[Mint, MintPrices]
    decimals: Mapping[Mint, int]

    def mark(self, mint: Mint) -> Mark | None:
        """The newest accepted reading of a mint."""
        prices = self.prices.get(mint)
        return None if prices is None else prices.mark

    def fresh_mark(self, mint: Mint, config: AgentConfig) -> Mark | None:
        """The mark if an order of this agent may fill at it now."""
        mark = self.mark(mint)
        return mark if mark is not None and may_fill(mark, self.now, config) else None

    def decimals_of(self, mint: Mint) -> int:
        """The decimals fixed for a mint, or those that its first order will fix."""
        return self.decimals.get(mint, TOKEN_DECIMALS_DEFAULT)


def may_fill(mark: Mark, now: int, config: AgentConfig) -> bool:
    """Whether an order of an agent with this config may fill at this mark now."""
    return is_fresh(mark, now, config.market.max_price_age_seconds * 1000)
