"""Which agents an input may concern: by the next price that can move them, by a price they wait for, by time.

Triggers are kept exactly: each has its place in a sorted list and is moved when it changes, so that there is
nothing to clean. Deadlines are pushed when they begin to hold and checked against the state when they are
met: one that no longer holds is dropped there.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, Final, NamedTuple

from daemon.domain.config import AgentConfig
from daemon.domain.exits import falling_trigger
from daemon.domain.position import Position
from daemon.domain.state import AgentState
from daemon.domain.undo import Undo
from daemon.domain.values import AgentId, Mint, OrderId, PositionId, Price

_ALWAYS: Final = Decimal("Infinity")
_ENDED_AT_ONCE: Final = 256
"""Ended deadlines dropped at once: a burst of them must not hold the event loop."""


class _Trigger(NamedTuple):
    falling: Decimal
    """The trigger price, negated: the highest comes first."""
    number: int
    agent_id: AgentId
    position_id: PositionId


class _Deadline(NamedTuple):
    at: int
    number: int
    agent_id: AgentId
    order_id: OrderId


class Index:
    """What moves whom."""

    def __init__(
        self, agents: Mapping[AgentId, AgentState], numbers: Mapping[AgentId, int], undo: Undo
    ) -> None:
        self._agents = agents
        self._numbers = numbers
        self._undo = undo
        self._triggers: dict[Mint, list[_Trigger]] = {}
        """Sorted: the next to be met by a falling price comes first."""
        self._armed: dict[Mint, dict[AgentId, _Trigger]] = {}
        """The same by agent."""
        self._deadlines: list[_Deadline] = []
        self._waiting: dict[Mint, dict[AgentId, None]] = {}

    def update(self, before: AgentState, after: AgentState, moved: Iterable[Mint]) -> None:
        """Take in one agent's new state; `moved` are the mints whose positions have changed."""
        if before.orders is not after.orders and (before.orders or after.orders):
            self._update_orders(before.orders, after)
        # A new config moves all triggers. Otherwise only what moved is looked at, however much is held.
        for mint in moved if before.config is after.config else (*after.positions, *moved):
            self._arm(after, mint)

    def concerns(self, mint: Mint, low: Price) -> bool:
        """Whether a reading with this low may move anybody: most move nobody."""
        triggers = self._triggers.get(mint)
        if triggers and triggers[0].falling <= low.copy_negate():
            return True
        return bool(self._waiting.get(mint))

    def waiting(self, mint: Mint) -> list[AgentId]:
        """The agents with orders that wait for a price of this mint, in order of creation."""
        return sorted(self._waiting.get(mint, ()), key=self._numbers.__getitem__)

    def all_waiting(self) -> list[AgentId]:
        """The agents with any waiting order, in order of creation."""
        agents = {agent: None for waiting in self._waiting.values() for agent in waiting}
        return sorted(agents, key=self._numbers.__getitem__)

    def triggered(self, mint: Mint, low: Price) -> list[AgentId]:
        """The agents one of whose exits may act at `low`, in order of creation."""
        triggers = self._triggers.get(mint)
        falling = low.copy_negate()
        if not triggers or triggers[0].falling > falling:
            return []
        met = triggers[: bisect_right(triggers, falling, key=_falling)]
        return [each.agent_id for each in sorted(met, key=_number)]

    def due(self, now: int) -> list[AgentId]:
        """The agents with orders whose expiry has come, in order of creation."""
        heap = self._deadlines
        if not heap or heap[0].at > now:
            return []
        taken: list[_Deadline] = []
        while heap and heap[0].at <= now:
            taken.append(heapq.heappop(heap))
        self._undo.call(partial(_push_all, heap, taken))
        agents = {each.agent_id: None for each in taken if self._pends(each)}
        return sorted(agents, key=self._numbers.__getitem__)

    def next_deadline(self) -> int | None:
        """When the next waiting order expires. Only between batches: what has ended is dropped for good."""
        heap = self._deadlines
        for _ in range(_ENDED_AT_ONCE):
            if not heap or self._pends(heap[0]):
                break
            heapq.heappop(heap)
        # One that has ended may be left on top: it only has us look again too early.
        return heap[0].at if heap else None

    def _pends(self, deadline: _Deadline) -> bool:
        agent = self._agents.get(deadline.agent_id)  # None: its creation was rolled back
        return agent is not None and deadline.order_id in agent.orders

    def _update_orders(self, before: Mapping[OrderId, Any], after: AgentState) -> None:
        agent_id = after.agent_id
        mints = {order.mint: None for order in after.orders.values()}
        for order_id, order in after.orders.items():
            if order_id not in before:
                deadline = _Deadline(order.expires_at, self._numbers[agent_id], agent_id, order_id)
                heapq.heappush(self._deadlines, deadline)
                waiting = self._waiting.setdefault(order.mint, {})
                if agent_id not in waiting:
                    self._undo.put(waiting, agent_id, None)
        for order_id, order in before.items():
            if order_id not in after.orders and order.mint not in mints:
                self._undo.drop(self._waiting.get(order.mint, {}), agent_id)

    def _arm(self, agent: AgentState, mint: Mint) -> None:
        agent_id = agent.agent_id
        held = agent.positions.get(mint)
        price = None if held is None else _trigger(held, agent.config)
        after = None
        if held is not None and price is not None:
            after = _Trigger(price.copy_negate(), self._numbers[agent_id], agent_id, held.position_id)
        before = self._armed.get(mint, {}).get(agent_id)
        if after != before:
            self._move(mint, before, after)
            self._undo.call(partial(self._move, mint, after, before))

    def _move(self, mint: Mint, before: _Trigger | None, after: _Trigger | None) -> None:
        triggers, armed = self._triggers.setdefault(mint, []), self._armed.setdefault(mint, {})
        if before is not None:
            del triggers[bisect_left(triggers, before)]
            del armed[before.agent_id]
        if after is not None:
            insort(triggers, after)
            armed[after.agent_id] = after


def _trigger(held: Position, config: AgentConfig) -> Decimal | None:
    """Where an exit may act. One that cannot be computed is met by every price, and its agent fails at it."""
    try:
        return falling_trigger(held, config)
    except (MemoryError, RecursionError, OSError):
        raise
    except Exception:  # noqa: BLE001 - whose trouble it is, the agent's own decision says
        return _ALWAYS


def _falling(entry: _Trigger) -> Decimal:
    return entry.falling


def _number(entry: _Trigger) -> int:
    return entry.number


def _push_all(
    heap: list[Any], entries: list[Any], push: Callable[[list[Any], Any], None] = heapq.heappush
) -> None:
    for entry in entries:
        push(heap, entry)
