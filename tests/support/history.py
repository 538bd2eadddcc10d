"""Writes a history on a log by hand: inputs, and the entries that a trader might have decided on them."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from daemon.domain import ids, marks
from daemon.domain.commands import (
    Actor,
    AnyCommand,
    ClosePosition,
    ConfigureAgent,
    CreateAgent,
    DeleteAgent,
    Deposit,
    DropInput,
    HandleSignal,
    Input,
    ObservePrices,
    Reading,
    ReleaseAgent,
    TimePassed,
    UpdateAgent,
)
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    AgentDeleted,
    AgentQuarantined,
    AgentReleased,
    AgentUpdated,
    ClockSteppedBack,
    CommandDenied,
    Event,
    ExitsQuarantined,
    FundsDeposited,
    InputDropped,
    InputRepeated,
    LedgerEntry,
    Lot,
    MintRegistered,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PositionClosed,
    PositionFigures,
    PositionIncreased,
    PositionOpened,
    PositionReduced,
    PriceRefused,
    SignalDenied,
    SignalReceived,
)
from daemon.domain.values import (
    SOL,
    AgentId,
    FillId,
    InputId,
    Mint,
    OrderId,
    Owner,
    PositionId,
    Price,
    SignalId,
)
from daemon.records import GENESIS, Sealed, encode, seal
from streams.log.contract import Claim, Log

OWNER = Owner("operator")
MINT = Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
OTHER_MINT = Mint("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263")
PRICE = Price("0.0067")


def some_id(name: str) -> InputId:
    """An id that follows from a name."""
    return InputId(ids.derive("test", name))


class History:
    """A tape and its journal in the making. Events given as None: the input gets no entry."""

    def __init__(self, log: Log, tape: int = 0) -> None:
        self.log = log
        self.tape = tape
        self.hash = GENESIS
        self.now = 0
        self.offset = -1
        self.journal = -1
        self._claim: Claim | None = None
        self._waiting: list[Sealed] = []

    async def add(
        self, command: AnyCommand, events: Sequence[Event] | None = (), *, input_id: str | None = None
    ) -> InputId:
        """Append an input; its entry is committed by the next `commit`."""
        asked = Input(
            id=InputId(input_id or some_id(f"input {self.offset + 1}")),
            actor=Actor(owner=OWNER, key="key-1"),
            command=command,
            route="POST /api/v1/test",
            hash="ab" * 32,
            keyed=True,
        )
        await self.add_bytes(encode(asked), events)
        return asked.id

    async def add_bytes(self, data: bytes, events: Sequence[Event] | None = ()) -> None:
        """Append any bytes as an input."""
        self.offset, at = await self.log.append(self.tape, [data])
        self.now = marks.clock(self.now, at)
        if events is not None:
            sealed = seal(self.hash, self.offset, self.now, [encode(event) for event in events])
            self._waiting.append(sealed)
            self.hash = sealed.hash

    async def commit(self) -> None:
        """Commit what waits, up to the last input."""
        if self._claim is None:
            self._claim = await self.log.claim(self.tape, "test")
        entries, self._waiting = self._waiting, []
        self.journal = await self.log.commit(self._claim, self.journal, self.offset, entries)


async def create_agent(history: History, name: str = "agent") -> AgentId:
    """An agent with 1,000 SOL."""
    agent = AgentId(some_id(name))
    await history.add(
        CreateAgent(name=name, mode="simulation"),
        [AgentCreated(agent_id=agent, owner=OWNER, name=name, mode="simulation")],
        input_id=agent,
    )
    given = LedgerEntry(mint=SOL, change=10**12, balance=10**12, reason="deposit")
    deposit = some_id(f"deposit {name}")
    await history.add(
        Deposit(agent_id=agent, lamports=10**12),
        [FundsDeposited(agent_id=agent, deposit_id=deposit, ledger=(given,))],
        input_id=deposit,
    )
    return agent


def received(signal: SignalId, mint: Mint = MINT) -> SignalReceived:
    """A signal to buy."""
    return SignalReceived(
        signal_id=signal, owner=OWNER, mint=mint, signal_type="buy", strength=4, expires_at=2_000_000_000_000,
        symbol="USDC", source="tests", reason='says "so"',
    )  # fmt: skip


def bought(
    agent: AgentId, signal: SignalId, at: int, mint: Mint = MINT, balance: int = 10**12
) -> list[Event]:
    """What follows from a signal for one agent: an order, its fill and a position."""
    order = ids.order_id(signal, agent, "entry", 0)
    return [approved(agent, signal, order, at, mint), *filled(agent, signal, order, at, mint, balance)]


def approved(agent: AgentId, signal: SignalId, order: OrderId, at: int, mint: Mint = MINT) -> OrderApproved:
    """An order to buy for 1 SOL."""
    return OrderApproved(
        agent_id=agent, order_id=order, mint=mint, side="buy", purpose="entry", quantity=10**9, decimals=6,
        approved_at=at, fill_after=at, expires_at=at + 60_000, config_version=0, signal_id=signal,
        symbol="USDC", price=PRICE, price_at=at - 1_000,
    )  # fmt: skip


def filled(
    agent: AgentId, signal: SignalId, order: OrderId, at: int, mint: Mint = MINT, balance: int = 10**12
) -> list[Event]:
    """An order's fill, and the position it opens."""
    fill, position = ids.fill_id(order, 0), ids.position_id(order)
    quantity, lamports, fee = 148_805_970, 997_000_000, 3_000_000
    ledger = (
        LedgerEntry(mint=SOL, change=-lamports, balance=balance - lamports, reason="swap"),
        LedgerEntry(mint=SOL, change=-fee, balance=balance - lamports - fee, reason="fee"),
        LedgerEntry(mint=mint, change=quantity, balance=quantity, reason="swap"),
    )
    lot = Lot(fill_id=fill, quantity=quantity, cost_lamports=lamports + fee, price=PRICE, at=at)
    figures = PositionFigures(
        quantity=quantity, cost_lamports=lamports + fee, entry_price=PRICE, bought=quantity,
        invested_lamports=lamports + fee, fees=fee, proceeds_lamports=0, realized_pnl=0,
    )  # fmt: skip
    return [
        OrderFilled(
            agent_id=agent, order_id=order, fill_id=fill, position_id=position, mint=mint, side="buy",
            purpose="entry", decimals=6, quantity=quantity, lamports=lamports, fee=fee, price=PRICE,
            reference_price=PRICE, price_at=at - 1_000, slippage_bps=0, impact_bps="0.00", ledger=ledger,
            signal_id=signal, symbol="USDC",
        ),
        PositionOpened(
            agent_id=agent, position_id=position, mint=mint, decimals=6, lot=lot, figures=figures,
            signal_id=signal, symbol="USDC",
        ),
    ]  # fmt: skip


def sold(agent: AgentId, position: PositionId, entry: FillId, at: int, mint: Mint = MINT) -> list[Event]:
    """A position that is closed by hand at twice its price."""
    order = ids.order_id(position, agent, "manual", 0)
    fill = ids.fill_id(order, 0)
    quantity, lamports, fee, price = 148_805_970, 1_994_000_000, 6_000_000, Price("0.0134")
    ledger = (
        LedgerEntry(mint=mint, change=-quantity, balance=0, reason="swap"),
        LedgerEntry(mint=SOL, change=lamports - fee, balance=10**12 + 988_000_000, reason="swap"),
    )
    figures = PositionFigures(
        quantity=0, cost_lamports=0, entry_price=PRICE, bought=quantity, invested_lamports=10**9,
        fees=fee + 3_000_000, proceeds_lamports=lamports - fee, realized_pnl=988_000_000,
    )  # fmt: skip
    return [
        OrderApproved(
            agent_id=agent, order_id=order, mint=mint, side="sell", purpose="manual", quantity=quantity,
            decimals=6, approved_at=at, fill_after=at, expires_at=at + 60_000, config_version=0,
            position_id=position, price=price, price_at=at,
        ),
        OrderFilled(
            agent_id=agent, order_id=order, fill_id=fill, position_id=position, mint=mint, side="sell",
            purpose="manual", decimals=6, quantity=quantity, lamports=lamports, fee=fee, price=price,
            reference_price=price, price_at=at, slippage_bps=0, impact_bps="0.00", ledger=ledger,
        ),
        PositionClosed(
            agent_id=agent, position_id=position, mint=mint, decimals=6, fill_id=fill, entry_fill_id=entry,
            reason="manual", opened_at=at - 5, quantity=quantity, figures=figures, entry_price=PRICE,
            exit_price=price,
        ),
    ]  # fmt: skip


async def trade(history: History, agent: AgentId, name: str, mint: Mint = MINT) -> SignalId:
    """A signal on which one agent buys."""
    signal = SignalId(some_id(name))
    at = history.now + 1
    await history.add(
        HandleSignal(mint=mint, signal_type="buy", strength=4, symbol="USDC", source="tests"),
        [received(signal, mint), *bought(agent, signal, at, mint)],
        input_id=signal,
    )
    return signal


async def everything(history: History) -> None:
    """A history in which every kind of event stands, the last two inputs without entries."""
    agent, other = await create_agent(history, "agent"), await create_agent(history, "other")
    await history.add(
        ConfigureAgent(agent_id=agent, config={"sizing": {"amount": "2"}}),
        [
            AgentConfigured(
                agent_id=agent, version=1, config={"sizing": {"amount": "2"}}, given={"sizing": {}}
            )
        ],
    )
    await history.add(
        UpdateAgent(agent_id=other, name="renamed", paused=True),
        [AgentUpdated(agent_id=other, name="renamed", paused=True)],
    )
    first = await trade(history, agent, "first")
    await history.add(
        ClosePosition(position_id=position_of(first, agent)),
        sold(agent, position_of(first, agent), fill_of(first, agent), history.now + 1),
    )
    await denied_and_waiting(history, agent, other)
    held = await trade(history, other, "held", OTHER_MINT)
    await history.add(ClosePosition(position_id=position_of(held, other)), figures(other, held))
    await quarantined(history, agent, other, position_of(held, other))
    await tape_events(history)


def position_of(signal: SignalId, agent: AgentId) -> PositionId:
    """The position that an agent opened on a signal."""
    return ids.position_id(ids.order_id(signal, agent, "entry", 0))


def fill_of(signal: SignalId, agent: AgentId) -> FillId:
    """The fill by which an agent bought on a signal."""
    return ids.fill_id(ids.order_id(signal, agent, "entry", 0), 0)


async def denied_and_waiting(history: History, agent: AgentId, other: AgentId) -> None:
    """A signal that one agent denies; orders of another that expire, are rejected, canceled, filled later."""
    signals = [SignalId(some_id(f"waiting {number}")) for number in range(4)]
    for signal in signals:
        at = history.now + 1
        denial = SignalDenied(
            agent_id=other, signal_id=signal, rule="paused", limit="false", value="true", config_version=0,
            price=PRICE, price_at=at - 500,
        )  # fmt: skip
        order = ids.order_id(signal, agent, "entry", 0)
        await history.add(
            HandleSignal(mint=MINT, signal_type="buy", strength=4),
            [received(signal), approved(agent, signal, order, at), denial],
            input_id=signal,
        )
    orders = [ids.order_id(signal, agent, "entry", 0) for signal in signals]
    await history.add(
        TimePassed(),
        [
            OrderExpired(agent_id=agent, order_id=orders[0], reason="no_price"),
            OrderRejected(agent_id=agent, order_id=orders[1], rule="impact", limit="5", value="7"),
            OrderCanceled(agent_id=agent, order_id=orders[2], reason="quarantined"),
            *filled(agent, signals[3], orders[3], history.now + 1),
        ],
    )


def figures(agent: AgentId, signal: SignalId) -> list[Event]:
    """A position that grows and shrinks."""
    position, fill = position_of(signal, agent), FillId(some_id("more"))
    lot = Lot(fill_id=fill, quantity=5, cost_lamports=7, price=PRICE, at=1)
    more = PositionFigures(
        quantity=148_805_975, cost_lamports=10**9 + 7, entry_price=PRICE, bought=148_805_975,
        invested_lamports=10**9 + 7, fees=3_000_000, proceeds_lamports=0, realized_pnl=0,
    )  # fmt: skip
    less = msgspec.structs.replace(more, quantity=148_805_000, proceeds_lamports=900, realized_pnl=-20)
    return [
        PositionIncreased(agent_id=agent, position_id=position, mint=OTHER_MINT, lot=lot, figures=more),
        PositionReduced(
            agent_id=agent, position_id=position, mint=OTHER_MINT, fill_id=fill, quantity=975, figures=less
        ),
    ]


async def quarantined(history: History, agent: AgentId, other: AgentId, position: PositionId) -> None:
    """One agent is quarantined, with a position's exits, and released; the other is deleted."""
    signal = some_id("trouble")
    await history.add(
        HandleSignal(mint=MINT, signal_type="buy", strength=1),
        [
            AgentQuarantined(agent_id=other, input_id=signal, error="DomainError"),
            ExitsQuarantined(
                agent_id=other, position_id=position, mint=OTHER_MINT, input_id=signal, error="DomainError"
            ),
        ],
        input_id=signal,
    )
    await history.add(ReleaseAgent(agent_id=other), [AgentReleased(agent_id=other)])
    await history.add(DeleteAgent(agent_id=agent), [AgentDeleted(agent_id=agent)])


async def tape_events(history: History) -> None:
    """Copies, denials, what was dropped unread, and prices: some with an entry, the last two without."""
    await history.add(
        DeleteAgent(agent_id=AgentId(some_id("nobody"))), [CommandDenied(code="NOT_FOUND", rule="agent")]
    )
    repeated = InputRepeated(input_id=some_id("first"), first_offset=6, same_body=False)
    await history.add(HandleSignal(mint=MINT, signal_type="buy", strength=1), [repeated])
    dropped = InputDropped(by=OWNER, key="key-1", reason="cannot be read")
    await history.add_bytes(b"{]", [dropped])
    await history.add(DropInput(offset=history.offset, reason="cannot be read"))
    await history.add(
        prices((MINT, "0.0067", 6)),
        [MintRegistered(mint=MINT, decimals=6, source="tests"), ClockSteppedBack(from_at=9, to_at=8)],
    )
    refused = PriceRefused(
        mint=MINT, source="tests", reason="jump", price=Price("1"), limit="50%", value="+14825.4%"
    )
    await history.add(prices((MINT, "1", 6)), [refused])
    await history.add(prices((MINT, "0.007", None), (OTHER_MINT, "2", None)), None)
    await history.add(TimePassed(), None)


def prices(*readings: tuple[Mint, str, int | None]) -> ObservePrices:
    """Readings of mint, price and decimals."""
    return ObservePrices(
        readings=tuple(
            Reading(mint=mint, price=Price(price), source="tests", decimals=decimals)
            for mint, price, decimals in readings
        )
    )
