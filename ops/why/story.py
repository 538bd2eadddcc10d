"""The chain of an id as one tree of plain values: what `tapefold why --json` prints."""

from __future__ import annotations

from api.times import moment_text
from daemon.domain.events import (
    AgentQuarantined,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.values import SOL, SOL_DECIMALS
from ops.why.configs import read_configs
from ops.why.journal import JournalReader, Place
from ops.why.lookup import Found
from ops.why.parts import (
    Change,
    Tree,
    cause_of,
    ended,
    figures_of,
    lot_of,
    mark,
    rules_asked,
    signal_of,
    text,
    tokens,
    where,
)
from projections.query import Reader


async def tell(found: Found, journal: JournalReader, reader: Reader) -> Tree:
    """Read every entry of the chain and tell what it holds; `of_agents` finds where agents are named."""
    teller = _Teller(found)
    for offset in found.offsets():
        place = await journal.at(offset)
        if place is not None:
            teller.read(place)
    story: Tree = {
        "kind": found.kind,
        "id": found.id,
        "tape": found.tape,
        "signals": [told for told in teller.signals.values() if told],
        "orders": [told for told in teller.orders.values() if told],
        "positions": [told for told in teller.positions.values() if told],
    }
    decided = [each for each in of_agents(story) if "config" in each]
    configs = await read_configs(reader, {(each["agentId"], each["config"]) for each in decided})
    for each in decided:
        each["config"] = configs[each["agentId"], each["config"]]
    return story


def of_agents(story: Tree) -> list[Tree]:
    """All parts of the tree that belong to an agent, to be given its name."""
    decisions = (each for signal in story["signals"] for each in signal["decisions"])
    return [*decisions, *story["orders"], *story["positions"]]


def _of_agent(agent_id: str) -> Tree:
    return {"agentId": agent_id, "agentName": None}


class _Teller:
    """Reads entries in tape order and keeps what belongs to the chain."""

    def __init__(self, found: Found) -> None:
        self.signals: dict[str, Tree] = {row.id: {} for row in found.signals}
        self.orders: dict[str, Tree] = {row.id: {} for row in found.orders}
        self.positions: dict[str, Tree] = {row.id: {} for row in found.positions}
        self._agent_ids = found.agent_ids
        self._by_fill = {row.fill_id: row for row in found.touching if row.fill_id is not None}
        self._stuck = {row.id for row in found.positions if row.exits_quarantined}

    def read(self, place: Place) -> None:
        """Take what one entry holds of the chain."""
        for event in place.events:
            match event:
                case SignalReceived() if event.signal_id in self.signals:
                    self.signals[event.signal_id] = signal_of(event, place)
                case SignalDenied() if event.signal_id in self.signals and self._concerns(event.agent_id):
                    self._decided(event, place)
                case AgentQuarantined() if event.input_id in self.signals and self._concerns(event.agent_id):
                    failed = {"outcome": "quarantined", "error": event.error}
                    self.signals[event.input_id]["decisions"].append(_of_agent(event.agent_id) | failed)
                case OrderApproved() if event.order_id in self.orders:
                    if event.purpose == "entry" and event.signal_id in self.signals:
                        self._decided(event, place)
                    self.orders[event.order_id] = self._order(event, place)
                case OrderFilled() | OrderExpired() | OrderCanceled() | OrderRejected():
                    if event.order_id in self.orders:
                        self.orders[event.order_id].update(ended(event, place))
                case PositionOpened() | PositionIncreased() | PositionReduced() | PositionClosed():
                    if event.position_id in self.positions:
                        self._changed(event, place)
                case _:
                    pass

    def _concerns(self, agent_id: str) -> bool:
        return self._agent_ids is None or agent_id in self._agent_ids

    def _decided(self, event: SignalDenied | OrderApproved, place: Place) -> None:
        denied = isinstance(event, SignalDenied)
        decision = _of_agent(event.agent_id) | {"outcome": "denied" if denied else "approved"}
        if isinstance(event, SignalDenied):
            decision |= {"rule": event.rule, "limit": event.limit, "value": event.value}
        else:
            decision["orderId"] = event.order_id
        decision |= mark(event, place)
        decision["rules"] = rules_asked(event.rule if isinstance(event, SignalDenied) else None)
        decision["config"] = event.config_version
        self.signals[str(event.signal_id)].setdefault("decisions", []).append(decision)

    def _order(self, event: OrderApproved, place: Place) -> Tree:
        gives = (SOL_DECIMALS, SOL) if event.side == "buy" else (event.decimals, event.mint)
        return {
            "id": event.order_id,
            **_of_agent(event.agent_id),
            "signalId": event.signal_id,
            "positionId": event.position_id,
            "tokenAddress": event.mint,
            "tokenSymbol": event.symbol,
            "side": event.side,
            "purpose": event.purpose,
            "n": event.n,
            "gives": tokens(event.quantity, gives[0]),
            "givesMint": gives[1],
            "state": "approved",
            **where(place),
            **mark(event, place),
            "triggerPrice": text(event.trigger_price),
            "cause": cause_of(place.given, event.mint),
            "fillAfter": moment_text(event.fill_after),
            "expiresAt": moment_text(event.expires_at),
            "config": event.config_version,
            "end": None,
            "fill": None,
        }

    def _changed(self, event: Change, place: Place) -> None:
        told = self.positions[event.position_id]
        if isinstance(event, PositionOpened):
            told |= {
                "id": event.position_id,
                **_of_agent(event.agent_id),
                "tokenAddress": event.mint,
                "tokenSymbol": event.symbol,
                "signalId": event.signal_id,
                "decimals": event.decimals,
                "state": "open",
                "exitsQuarantined": event.position_id in self._stuck,
                "changes": [],
            }
        decimals = told["decimals"]
        change = {"event": type(event).__name__, **where(place), **lot_of(event, decimals)}
        order = self._by_fill.get(change["fillId"])
        change["orderId"] = None if order is None else order.id
        change["purpose"] = None if order is None else order.purpose
        change["signalId"] = None if order is None else order.signal_id
        change["figures"] = figures_of(event.figures, decimals)
        told["changes"].append(change)
        told["figures"] = change["figures"]
        told["realizedPnl"] = change["figures"]["realizedPnl"]
        if isinstance(event, PositionClosed):
            told |= {
                "state": "closed",
                "closeReason": event.reason,
                "averageEntryPrice": str(event.entry_price),
                "exitPrice": str(event.exit_price),
            }
