"""The chain for people: the tree of `story` as indented lines."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any, NamedTuple

from ops.why.parts import Tree


class Line(NamedTuple):
    """One line; depth 0 is a heading."""

    depth: int
    text: str

    def __str__(self) -> str:
        return "  " * self.depth + self.text


def lines(story: Tree, further: Mapping[str, int]) -> Iterator[Line]:
    """The chain in its order: signals with what each agent decided, orders with fills, positions.

    `further`: how many agents that are not told had which outcome.
    """
    told: set[tuple[str, int]] = set()  # configs, each told once
    for signal in story["signals"]:
        yield from _signal(signal, told)
        yield from _rest(further)
    for order in story["orders"]:
        yield from _order(order, told)
    orders = {order["id"] for order in story["orders"]}
    for position in story["positions"]:
        yield from _position(position, orders)


def _signal(signal: Tree, told: set[tuple[str, int]]) -> Iterator[Line]:
    yield Line(0, f"signal {signal['id']}")
    yield Line(1, f"received {_place(signal)}{_by(signal['cause'])}")
    source = "" if signal["source"] is None else f", source {signal['source']}"
    yield Line(1, f"{signal['signalType']} {_token(signal)}, strength {signal['signalStrength']}{source}")
    if signal["reason"] is not None:
        yield Line(1, f"reason: {signal['reason']}")
    yield Line(1, f"expires {signal['expiresAt']}")
    for decision in signal["decisions"]:
        yield from _decision(decision, told)


def _rest(further: Mapping[str, int]) -> Iterator[Line]:
    if further:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(further.items()))
        yield Line(1, f"and {sum(further.values())} further agents: {counts} (--json tells all)")


def _decision(decision: Tree, told: set[tuple[str, int]]) -> Iterator[Line]:
    yield Line(1, f"{_agent(decision)}: {decision['outcome']}")
    if decision["outcome"] == "quarantined":
        yield Line(2, f"deciding for it failed: {decision['error']}")
        return
    yield Line(2, _price(decision))
    answers: dict[str, list[str]] = {"passed": [], "not asked": []}
    for rule in decision["rules"]:
        answers.setdefault(rule["answer"], []).append(rule["rule"])
    if answers["passed"]:
        yield Line(2, f"rules passed: {', '.join(answers['passed'])}")
    if decision["outcome"] == "denied":
        yield Line(2, f"denied by {decision['rule']}: limit {decision['limit']}, value {decision['value']}")
    if answers["not asked"]:
        yield Line(2, f"not asked: {', '.join(answers['not asked'])}")
    yield from _config(decision, told)


def _order(order: Tree, told: set[tuple[str, int]]) -> Iterator[Line]:
    gives = f"{order['gives']} {'SOL' if order['side'] == 'buy' else _token(order)}"
    yield Line(0, f"order {order['id']}")
    verb = "buy for" if order["side"] == "buy" else "sell"
    yield Line(1, f"{_agent(order)}: {order['purpose']} #{order['n']}, {verb} {gives}")
    if order["signalId"] is not None:
        yield Line(1, f"{'for' if order['side'] == 'buy' else 'of a position of'} signal {order['signalId']}")
    yield Line(1, f"approved {_place(order)}{_by(order['cause'])}")
    yield Line(2, _price(order))
    if order["triggerPrice"] is not None:
        yield Line(2, f"triggered at {order['triggerPrice']} SOL")
    if order["side"] == "sell":
        yield Line(2, "no rule asked: exits depend on none")
    yield from _config(order, told)
    end = order["end"]
    if end is None:
        yield Line(1, f"waits for a fresh price from {order['fillAfter']} until {order['expiresAt']}")
    elif order["fill"] is not None:
        yield from _fill(order)
    else:
        why = end.get("reason") or f"{end.get('rule')}: limit {end.get('limit')}, value {end.get('value')}"
        yield Line(1, f"{order['state']} {_place(end)}: {why}")


def _fill(order: Tree) -> Iterator[Line]:
    fill = order["fill"]
    token = _token(order)
    yield Line(1, f"fill {fill['id']} {_place(fill)}")
    verb = "bought" if fill["side"] == "buy" else "sold"
    yield Line(2, f"{verb} {fill['quantity']} {token} for {fill['sol']} SOL at {fill['price']} SOL each")
    yield Line(
        2,
        f"reference price {fill['referencePrice']} SOL of {fill['priceAt']}, slippage {fill['slippageBps']} "
        f"bps, impact {fill['impactBps']} bps, fee {fill['fee']} SOL",
    )
    if fill["tapeOffset"] != order["tapeOffset"]:
        yield Line(2, f"filled on{_by(fill['cause'])}")
    for entry in fill["ledger"]:
        unit = token if entry["mint"] == order["tokenAddress"] else "SOL"
        yield Line(
            2, f"ledger: {_signed(entry['change'])} {unit} ({entry['reason']}), balance {entry['balance']}"
        )


def _position(position: Tree, orders: Container[str]) -> Iterator[Line]:
    token = _token(position)
    reason = f" by {position['closeReason']}" if position["state"] == "closed" else ""
    yield Line(0, f"position {position['id']}")
    yield Line(1, f"{_agent(position)}: {token}, {position['state']}{reason}")
    for change in position["changes"]:
        verb = change["event"].removeprefix("Position").lower()
        yield Line(1, f"{verb} by fill {change['fillId']}: {change['quantity']} {token} {_place(change)}")
        if change["orderId"] is not None and change["orderId"] not in orders:
            of_signal = "" if change["signalId"] is None else f" for signal {change['signalId']}"
            yield Line(2, f"by order {change['orderId']} ({change['purpose']}){of_signal}, not told here")
        figures = change["figures"]
        yield Line(
            2,
            f"holds {figures['quantity']}, cost {figures['cost']} SOL, "
            f"entry price {figures['entryPrice']} SOL, realized {_signed(figures['realizedPnl'])} SOL",
        )
    figures = position["figures"]
    yield Line(
        1,
        f"invested {figures['invested']} SOL, proceeds {figures['proceeds']} SOL, fees {figures['fees']} SOL",
    )
    yield Line(1, f"realized PnL {_signed(position['realizedPnl'])} SOL")
    if position["exitsQuarantined"]:
        yield Line(1, "its exits are quarantined: release the agent to try them again")


# --- parts of lines --------------------------------------------------------------------------------------


def _agent(told: Tree) -> str:
    name = told["agentName"]
    return f"agent {told['agentId']}" if name is None else f'agent "{name}" {told["agentId"]}'


def _token(told: Tree) -> str:
    return str(told["tokenSymbol"] or told["tokenAddress"])


def _place(told: Tree) -> str:
    return f"{told['at']} (tape offset {told['tapeOffset']}, journal offset {told['journalOffset']})"


def _price(told: Tree) -> str:
    if told["price"] is None:
        return "price: none known"
    return f"price {told['price']} SOL, {told['priceAgeMs'] / 1000:g} s old ({told['priceAt']})"


def _by(cause: Tree | None) -> str:
    """The input behind it, in words."""
    if cause is None:
        return ""
    match cause["type"]:
        case "ObservePrices":
            readings = ", ".join(
                f"{each['price']} SOL from {each['source']}{_range(each)}" for each in cause["readings"]
            )
            return f" on prices {readings}" if readings else " on prices of other tokens"
        case "TimePassed":
            return " as time passed"
        case kind:
            return f" on {kind} by {cause['owner']}, key {cause['key']}"


def _range(reading: Tree) -> str:
    low, high = reading["low"], reading["high"]
    return "" if low is None and high is None else f" (low {low}, high {high})"


def _signed(amount: str) -> str:
    return amount if amount.startswith("-") or amount == "0" else f"+{amount}"


def _config(decided: Tree, told: set[tuple[str, int]]) -> Iterator[Line]:
    config = decided["config"]
    key = (decided["agentId"], config["version"])
    if key in told or config["values"] is None:
        yield Line(2, f"config version {config['version']}{', as above' if key in told else ''}")
        return
    told.add(key)
    since = "the defaults" if config["tapeOffset"] is None else f"set at tape offset {config['tapeOffset']}"
    yield Line(2, f"config version {config['version']}, {since}:")
    for section, values in config["values"].items():
        yield Line(3, f"{section}: {', '.join(f'{name} {_value(each)}' for name, each in values.items())}")


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "any"
    return "none" if value is None else str(value)
