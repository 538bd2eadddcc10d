"""One good example of every command and every event, with figures that fit together.

They tell one story: an agent is made and funded, buys 1 SOL of a token at 0.0067, and stops out at 0.006.
"""

from __future__ import annotations

from typing import Final

from daemon.domain import ids
from daemon.domain.commands import (
    Actor,
    AnyCommand,
    ClosePosition,
    Command,
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
from daemon.domain.config import given_keys, resolve, stored
from daemon.domain.events import (
    AgentConfigured,
    AgentCreated,
    AgentDeleted,
    AgentQuarantined,
    AgentReleased,
    AgentUpdated,
    AnyEvent,
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
from daemon.domain.values import SOL, AgentId, InputId, Mint, Owner, Price, SignalId

OWNER: Final = Owner("operator")
STRANGER: Final = Owner("somebody else")
ACTOR: Final = Actor(owner=OWNER, key="key-1")
MINT: Final = Mint("EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v")
OTHER_MINT: Final = Mint("DezXAZ8z7PnrnRJjz3wXBoRgixCa6xjnB7YaB1pPB263")
THIRD_MINT: Final = Mint("JUPyiwrYJFskUPiHa7hkeR8VUtAeFoSYbKedZNsDvCN")
AT: Final = 1_790_000_000_000
"""A moment in 2026, ms."""


def some_id(name: str) -> InputId:
    """A UUID that follows from a name."""
    return InputId(ids.derive("example", name))


AGENT: Final = AgentId(some_id("agent"))
SIGNAL: Final = SignalId(some_id("signal"))
ENTRY: Final = ids.order_id(SIGNAL, AGENT, "entry", 0)
ENTRY_FILL: Final = ids.fill_id(ENTRY, 0)
POSITION: Final = ids.position_id(ENTRY)
STOP: Final = ids.order_id(POSITION, AGENT, "stop_loss", 0)
STOP_FILL: Final = ids.fill_id(STOP, 0)
GIVEN: Final = {"stopLoss": {"enabled": True, "percent": "10"}, "market": {"orderExpirySeconds": 30}}
_CONFIG: Final = resolve(GIVEN)
_PRICE: Final = Price("0.0067")
_LOT: Final = Lot(
    fill_id=ENTRY_FILL, quantity=148_805_970, cost_lamports=1_000_000_000, price=_PRICE, at=AT + 3_000
)
_FIGURES: Final = PositionFigures(
    quantity=148_805_970,
    cost_lamports=1_000_000_000,
    entry_price=_PRICE,
    bought=148_805_970,
    invested_lamports=1_000_000_000,
    fees=3_000_000,
    proceeds_lamports=0,
    realized_pnl=0,
)
_READING: Final = Reading(
    mint=MINT,
    price=_PRICE,
    source="jupiter",
    low=Price("0.0065"),
    high=Price("0.0068"),
    observed_at=AT,
    liquidity=250_000_000_000,
    decimals=6,
)

COMMANDS: Final[dict[type[Command], AnyCommand]] = {
    type(each): each
    for each in (
        HandleSignal(
            mint=MINT,
            signal_type="breakout",
            strength=4,
            symbol="USDC",
            source="desk",
            reason="volume up",
            price=_PRICE,
            expires_at=AT + 300_000,
            agent_ids=(AGENT,),
        ),
        ObservePrices(readings=(_READING, Reading(mint=OTHER_MINT, price=Price("1E-8"), source="jupiter"))),
        CreateAgent(name="Momentum", mode="simulation", config=GIVEN),
        UpdateAgent(agent_id=AGENT, name="Breakout", paused=True),
        ConfigureAgent(agent_id=AGENT, config=GIVEN),
        DeleteAgent(agent_id=AGENT),
        ReleaseAgent(agent_id=AGENT),
        Deposit(agent_id=AGENT, lamports=10_000_000_000),
        ClosePosition(position_id=POSITION),
        TimePassed(),
        DropInput(offset=7, reason="cannot be read"),
    )
}
"""One of each command."""

EVENTS: Final[dict[type[Event], AnyEvent]] = {
    type(each): each
    for each in (
        InputRepeated(input_id=InputId(SIGNAL), first_offset=3, same_body=True),
        InputDropped(by=OWNER, key="key-1", reason="cannot be read"),
        ClockSteppedBack(from_at=AT + 60_000, to_at=AT),
        CommandDenied(
            code="POSITION_CLOSING", rule="one_exit", limit="1", value="an exit is waiting for a price"
        ),
        MintRegistered(mint=MINT, decimals=6, source="jupiter", readings=1),
        PriceRefused(
            mint=MINT, source="jupiter", reason="jump", price=Price("0.0201"), limit="±50%", value="+200.0%"
        ),
        AgentCreated(agent_id=AGENT, owner=OWNER, name="Momentum", mode="simulation"),
        AgentUpdated(agent_id=AGENT, name="Breakout", paused=True),
        AgentConfigured(agent_id=AGENT, version=1, config=stored(_CONFIG), given=given_keys(_CONFIG)),
        AgentDeleted(agent_id=AGENT),
        AgentQuarantined(agent_id=AGENT, input_id=InputId(SIGNAL), error="ZeroDivisionError"),
        ExitsQuarantined(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            input_id=some_id("prices"),
            error="ZeroDivisionError",
        ),
        AgentReleased(agent_id=AGENT),
        FundsDeposited(
            agent_id=AGENT,
            deposit_id=some_id("deposit"),
            ledger=(LedgerEntry(mint=SOL, change=10_000_000_000, balance=10_000_000_000, reason="deposit"),),
        ),
        SignalReceived(
            signal_id=SIGNAL,
            owner=OWNER,
            mint=MINT,
            signal_type="breakout",
            strength=4,
            expires_at=AT + 300_000,
            symbol="USDC",
            source="desk",
            reason="volume up",
            price=_PRICE,
            agent_ids=(AGENT,),
        ),
        SignalDenied(
            agent_id=AGENT,
            signal_id=SIGNAL,
            rule="min_strength",
            limit="5",
            value="4",
            config_version=1,
            price=_PRICE,
            price_at=AT,
        ),
        OrderApproved(
            agent_id=AGENT,
            order_id=ENTRY,
            mint=MINT,
            side="buy",
            purpose="entry",
            quantity=1_000_000_000,
            decimals=6,
            approved_at=AT + 3_000,
            fill_after=AT + 3_000,
            expires_at=AT + 33_000,
            config_version=1,
            signal_id=SIGNAL,
            symbol="USDC",
            price=_PRICE,
            price_at=AT,
        ),
        OrderFilled(
            agent_id=AGENT,
            order_id=ENTRY,
            fill_id=ENTRY_FILL,
            position_id=POSITION,
            mint=MINT,
            side="buy",
            purpose="entry",
            decimals=6,
            quantity=148_805_970,
            lamports=997_000_000,
            fee=3_000_000,
            price=_PRICE,
            reference_price=_PRICE,
            price_at=AT,
            slippage_bps=0,
            impact_bps="0",
            ledger=(
                LedgerEntry(mint=SOL, change=-997_000_000, balance=9_003_000_000, reason="swap"),
                LedgerEntry(mint=SOL, change=-3_000_000, balance=9_000_000_000, reason="fee"),
                LedgerEntry(mint=MINT, change=148_805_970, balance=148_805_970, reason="swap"),
            ),
            signal_id=SIGNAL,
            symbol="USDC",
        ),
        OrderRejected(
            agent_id=AGENT,
            order_id=ENTRY,
            rule="quantity",
            limit="1 … 2^64-1 base units",
            value="0",
        ),
        OrderExpired(agent_id=AGENT, order_id=ENTRY, reason="stale_price", price_at=AT),
        OrderCanceled(agent_id=AGENT, order_id=ENTRY, reason="quarantined"),
        PositionOpened(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            decimals=6,
            lot=_LOT,
            figures=_FIGURES,
            signal_id=SIGNAL,
            symbol="USDC",
        ),
        PositionIncreased(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            lot=Lot(
                fill_id=ids.fill_id(ids.order_id(some_id("signal 2"), AGENT, "entry", 0), 0),
                quantity=100_000_000,
                cost_lamports=800_000_000,
                price=Price("0.008"),
                at=AT + 9_000,
            ),
            figures=PositionFigures(
                quantity=248_805_970,
                cost_lamports=1_800_000_000,
                entry_price=Price("0.0072224954"),
                bought=248_805_970,
                invested_lamports=1_800_000_000,
                fees=3_000_000,
                proceeds_lamports=0,
                realized_pnl=0,
            ),
        ),
        PositionReduced(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            fill_id=STOP_FILL,
            quantity=48_805_970,
            figures=PositionFigures(
                quantity=100_000_000,
                cost_lamports=672_016_051,
                entry_price=_PRICE,
                bought=148_805_970,
                invested_lamports=1_000_000_000,
                fees=3_878_508,
                proceeds_lamports=291_957_312,
                realized_pnl=-36_026_637,
            ),
        ),
        PositionClosed(
            agent_id=AGENT,
            position_id=POSITION,
            mint=MINT,
            decimals=6,
            fill_id=STOP_FILL,
            entry_fill_id=ENTRY_FILL,
            reason="stop_loss",
            opened_at=AT + 3_000,
            quantity=148_805_970,
            figures=PositionFigures(
                quantity=0,
                cost_lamports=0,
                entry_price=_PRICE,
                bought=148_805_970,
                invested_lamports=1_000_000_000,
                fees=5_678_508,
                proceeds_lamports=890_157_312,
                realized_pnl=-109_842_688,
            ),
            entry_price=_PRICE,
            exit_price=Price("0.006"),
            signal_id=SIGNAL,
            symbol="USDC",
        ),
    )
}
"""One of each event."""


def an_input(command: AnyCommand, name: str = "input", owner: Owner = OWNER) -> Input:
    """A command as it stands on the tape."""
    return Input(
        id=some_id(name),
        actor=Actor(owner=owner, key="key-1"),
        command=command,
        route="POST /api/v1/test",
        hash="ab" * 32,
        keyed=True,
    )
