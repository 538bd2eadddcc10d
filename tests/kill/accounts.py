"""Ledger, lots and orders, recomputed from the journal's events by rules of the suite's own."""

from __future__ import annotations

from collections import defaultdict, deque
from typing import Any, Final

ENDS: Final = frozenset({"OrderFilled", "OrderExpired", "OrderRejected", "OrderCanceled"})

Event = dict[str, Any]


class Accounts:
    """Balances by agent and mint, lots by agent and mint, orders by id."""

    def __init__(self, wrong: list[str]) -> None:
        self.balances: dict[tuple[str, str], int] = defaultdict(int)
        self.lots: dict[tuple[str, str], deque[list[int]]] = defaultdict(deque)
        """Quantity and cost, oldest first."""
        self.positions: dict[tuple[str, str], str] = {}
        self.fills = 0
        self._orders: dict[str, str] = {}
        self._wrong = wrong

    def take(self, where: str, event: Event) -> None:
        """Book one event."""
        for entry in event.get("ledger", ()):
            self._post(where, event["agent_id"], entry)
        kind = event["type"]
        if kind == "OrderApproved":
            self._order(where, event["order_id"], None, "approved")
        elif kind in ENDS:
            self._order(where, event["order_id"], "approved", kind)
        if kind == "OrderFilled":
            self._fill(where, event)
        elif kind == "PositionClosed":
            key = event["agent_id"], event["mint"]
            if self.lots.pop(key, None):
                self._wrong.append(f"{where}: position {event['position_id']} closed with units in its lots")
            self.positions.pop(key, None)

    def open_positions(self) -> dict[tuple[str, str], tuple[str, int, int]]:
        """Id, quantity and cost of what is held, by agent and mint."""
        return {
            key: (self.positions[key], sum(lot[0] for lot in lots), sum(lot[1] for lot in lots))
            for key, lots in self.lots.items()
            if lots
        }

    def _post(self, where: str, agent: str, entry: Event) -> None:
        key = agent, entry["mint"]
        self.balances[key] += entry["change"]
        if self.balances[key] < 0:
            self._wrong.append(f"{where}: agent {agent} holds {self.balances[key]} of {entry['mint']}")
        if self.balances[key] != entry["balance"]:
            self._wrong.append(
                f"{where}: agent {agent} holds {self.balances[key]} of {entry['mint']} by the sum of its"
                f" ledger, the entry says {entry['balance']}"
            )

    def _order(self, where: str, order: str, before: str | None, after: str) -> None:
        found = self._orders.get(order)
        if found != before:
            self._wrong.append(f"{where}: order {order} is {found or 'unknown'} and becomes {after}")
        self._orders[order] = after

    def _fill(self, where: str, event: Event) -> None:
        self.fills += 1
        key = event["agent_id"], event["mint"]
        lots = self.lots[key]
        changes: dict[str, int] = defaultdict(int)
        for entry in event["ledger"]:
            changes[entry["mint"]] += entry["change"]
        sol = next((changes[mint] for mint in changes if mint != event["mint"]), 0)
        if event["side"] == "buy":
            lots.append([event["quantity"], event["lamports"] + event["fee"]])
            self.positions.setdefault(key, event["position_id"])
            expected = event["quantity"], -event["lamports"] - event["fee"]
        else:
            self._sell(where, event, lots)
            expected = -event["quantity"], event["lamports"] - event["fee"]
        if (changes[event["mint"]], sol) != expected:
            self._wrong.append(f"{where}: fill {event['fill_id']} moves {dict(changes)}, not {expected}")
        if self.positions.get(key) != event["position_id"]:
            self._wrong.append(
                f"{where}: fill {event['fill_id']} is for position {event['position_id']},"
                f" open is {self.positions.get(key)}"
            )

    def _sell(self, where: str, event: Event, lots: deque[list[int]]) -> None:
        left = event["quantity"]
        while left and lots:
            sold = min(left, lots[0][0])
            lots[0][1] -= lots[0][1] * sold // lots[0][0]
            lots[0][0] -= sold
            left -= sold
            if not lots[0][0]:
                lots.popleft()
        if left:
            self._wrong.append(f"{where}: fill {event['fill_id']} sells {left} units more than are held")
