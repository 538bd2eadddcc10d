"""A tape's whole state as lines of JSON, and back: the stored form of snapshots.

`copy` takes references at once: the state is frozen values in dicts, so that whoever writes it down later
still writes what was. `freezing` encodes in small steps, `thawing` makes a tape of the lines again, one that
decides as if it had folded everything itself. What follows from the agents (owners, positions, the index) is
not stored.

The form needs no versions: a snapshot is only read by the very sources of this package that wrote it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from decimal import Decimal
from itertools import islice
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from daemon.domain.config import AgentConfig, from_stored, stored
from daemon.domain.errors import DomainError
from daemon.domain.marks import MintPrices
from daemon.domain.order import Order
from daemon.domain.position import Position
from daemon.domain.seen import First, Stretch
from daemon.domain.state import AgentState
from daemon.domain.tape import PRICE_IDS, Tape
from daemon.domain.values import AgentId, InputId, Mint, OrderId, Price

T = TypeVar("T")

AGENTS_AT_ONCE: Final = 10
"""Of one line; a config of its own takes each of them some time."""
ROWS_AT_ONCE: Final = 100
IDS_AT_ONCE: Final = 512


class Copy(NamedTuple):
    """References to all that a tape's next decisions depend on."""

    now: int
    agents: list[AgentState]
    """In order of creation."""
    prices: dict[Mint, MintPrices]
    mints: dict[Mint, int]
    seen: list[Stretch]
    price_ids: dict[InputId, First]


def copy(tape: Tape) -> Copy:
    """The state as it is now. Worthless if anything of it is taken back later."""
    return Copy(
        tape.now,
        [tape.agents[each] for each in tape.numbers],
        tape.prices.copy(),
        tape.mints.copy(),
        tape.seen.stretches(),
        tape.known_price_ids(),
    )


# --- lines -----------------------------------------------------------------------------------------------


class _Line(msgspec.Struct, tag_field="of", gc=False):
    """Base of all lines. Agents are named by their number, in order of creation."""


class _Now(_Line, tag="now"):
    now: int


class _Configs(_Line, tag="configs"):
    """Numbered from 0 on, those of all lines together: agents with the same one share it."""

    rows: list[dict[str, Any]]


class _Agents(_Line, tag="agents"):
    """Without balances, orders and positions, of which there may be many; the config is a number."""

    rows: list[AgentState]


class _Balances(_Line, tag="balances"):
    rows: list[tuple[int, Mint, int]]


class _Orders(_Line, tag="orders"):
    rows: list[tuple[int, Order]]


class _Positions(_Line, tag="positions"):
    rows: list[tuple[int, Position]]


class _Prices(_Line, tag="prices"):
    rows: list[tuple[Mint, MintPrices]]


class _Mints(_Line, tag="mints"):
    rows: list[tuple[Mint, int]]


class _Seen(_Line, tag="seen"):
    """Id, `now`, offset and hash, oldest first."""

    rows: list[tuple[InputId, int, int, str]]


class _PriceIds(_Line, tag="price_ids"):
    rows: list[tuple[InputId, int, str]]


_AnyLine = _Now | _Configs | _Agents | _Balances | _Orders | _Positions | _Prices | _Mints | _Seen | _PriceIds


# --- freezing --------------------------------------------------------------------------------------------


def freezing(state: Copy, reached: int) -> Iterator[bytes]:
    """The lines of a state at the tape offset `reached`. Each is small, so that others can run between."""
    configs = _Configurations()
    encode = msgspec.json.Encoder(enc_hook=configs.to_stored).encode
    yield encode(_Now(state.now))
    for agents in _slices(state.agents, AGENTS_AT_ONCE):
        new = configs.add(agents)
        if new:
            yield encode(_Configs(new))
        bare = [msgspec.structs.replace(each, balances={}, orders={}, positions={}) for each in agents]
        yield encode(_Agents(bare))
    numbered = list(enumerate(state.agents))
    balances = ((n, mint, units) for n, each in numbered for mint, units in each.balances.items())
    yield from (encode(_Balances(rows)) for rows in _slices(balances, ROWS_AT_ONCE))
    orders = ((n, order) for n, each in numbered for order in each.orders.values())
    yield from (encode(_Orders(rows)) for rows in _slices(orders, ROWS_AT_ONCE))
    positions = ((n, held) for n, each in numbered for held in each.positions.values())
    yield from (encode(_Positions(rows)) for rows in _slices(positions, ROWS_AT_ONCE))
    yield from (encode(_Prices(rows)) for rows in _slices(state.prices.items(), ROWS_AT_ONCE))
    yield from (encode(_Mints(rows)) for rows in _slices(state.mints.items(), ROWS_AT_ONCE))
    seen = (
        (each.id, each.at, each.first.offset, each.first.hash)
        for stretch in state.seen
        for each in stretch.ids()
    )
    yield from (encode(_Seen(rows)) for rows in _slices(seen, IDS_AT_ONCE))
    known = (
        (each, first.offset, first.hash)
        for each, first in state.price_ids.items()
        if first.offset > reached - PRICE_IDS
    )
    yield from (encode(_PriceIds(rows)) for rows in _slices(known, IDS_AT_ONCE))


class _Configurations:
    """The configs of all agents, each once, and the hooks by which their numbers stand for them."""

    def __init__(self) -> None:
        self._known: list[AgentConfig] = []
        self._numbers: dict[int, int] = {}
        """By identity: whoever freezes keeps the agents, and so their configs, alive meanwhile."""
        self._texts: dict[bytes, int] = {}

    def add(self, agents: Iterable[AgentState]) -> list[dict[str, Any]]:
        """Number the configs of some agents; the new ones in their stored form."""
        new = []
        for agent in agents:
            if id(agent.config) in self._numbers:
                continue
            row = stored(agent.config)
            text = msgspec.json.encode(row)
            if text not in self._texts:
                self._texts[text] = len(self._texts)
                new.append(row)
            self._numbers[id(agent.config)] = self._texts[text]
        return new

    def read(self, rows: Iterable[dict[str, Any]]) -> None:
        """Number configs that were stored."""
        self._known.extend(map(from_stored, rows))

    def to_stored(self, value: Any) -> Any:
        """What msgspec does not know itself."""
        if isinstance(value, Decimal):
            return Decimal.__str__(value)  # with its exponent, so that it comes back as it is
        if isinstance(value, AgentConfig):
            return self._numbers[id(value)]
        raise NotImplementedError(f"no stored form for {type(value).__name__}")

    def from_stored(self, kind: type, value: Any) -> Any:
        """The twin of `to_stored`."""
        if kind is Price and isinstance(value, str):
            return Price(value)
        if kind is AgentConfig and isinstance(value, int):
            return self._known[value]
        raise NotImplementedError(f"no stored form for {kind.__name__}")


def _slices(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    left = iter(rows)
    while taken := list(islice(left, size)):
        yield taken


# --- thawing ---------------------------------------------------------------------------------------------


def thawing(lines: Iterable[bytes]) -> Generator[None, None, Tape]:
    """The tape that was frozen. Yields now and then, so that the caller can let others run.

    Raises `DomainError` where the lines are none of `freezing`.
    """
    try:
        return (yield from _thawing(lines))
    except (msgspec.MsgspecError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise DomainError(f"cannot be thawed: {type(error).__name__}: {error}") from error


def _thawing(lines: Iterable[bytes]) -> Generator[None, None, Tape]:
    tape, configs, agents = Tape(), _Configurations(), list[AgentState]()
    decode = msgspec.json.Decoder(_AnyLine, dec_hook=configs.from_stored).decode
    for line in lines:
        match decode(line):
            case _Now(now=now):
                tape.now = now
            case _Configs(rows=found):
                configs.read(found)
            case _Agents(rows=bare):
                # The decoder made these mappings for them alone: they are filled before anybody sees them.
                agents.extend(bare)
            case _Balances(rows=balances):
                for number, mint, units in balances:
                    agents[number].balances[mint] = units
            case _Orders(rows=orders):
                for number, order in orders:
                    agents[number].orders[OrderId(order.order_id)] = order
            case _Positions(rows=positions):
                for number, held in positions:
                    agents[number].positions[held.mint] = held
            case _Prices(rows=prices):
                tape.prices.update(prices)
            case _Mints(rows=mints):
                tape.mints.update(mints)
            case _Seen(rows=seen):
                tape.seen.restore(seen)
            case _PriceIds(rows=known):
                tape.price_ids.update({each: First(offset, hash_, 0) for each, offset, hash_ in known})
        yield
    for agent in agents:
        _enter(tape, agent)
        yield
    return tape


def _enter(tape: Tape, agent: AgentState) -> None:
    """Take in an agent, and all that follows from it."""
    agent_id: AgentId = agent.agent_id
    if agent_id in tape.agents:
        raise DomainError(f"agent {agent_id} stands there twice")
    tape.numbers[agent_id] = len(tape.numbers)
    tape.agents[agent_id] = agent
    tape.owners.setdefault(agent.owner, {})[agent_id] = None
    for held in agent.positions.values():
        tape.positions[held.position_id] = agent_id
    tape.index.update(msgspec.structs.replace(agent, orders={}), agent, agent.positions)
    tape.undo.forget()
