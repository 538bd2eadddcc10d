"""What the demo shows, read from the API again and again: the agents' figures, and what is new since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final, Literal, NamedTuple

from daemon.domain.values import SOL, plain
from ops.demo.client import Http

Kind = Literal["signal", "denied", "fill", "closed", "expired"]
ORDER: Final[tuple[Kind, ...]] = ("signal", "denied", "fill", "closed", "expired")
"""Of what happened in the same millisecond."""
Row = Mapping[str, Any]
_EYE: Final = Context(prec=6)


class Happening(NamedTuple):
    """Something that happened, as one line."""

    at: str
    kind: Kind
    text: str


class Holding(NamedTuple):
    """An open position."""

    id: str
    symbol: str
    quantity: Decimal
    worth: Decimal | None
    """At the mark, in SOL."""
    profit_percent: Decimal | None


@dataclass(frozen=True)
class Figures:
    """One agent's figures, in SOL."""

    id: str
    name: str
    sol: Decimal
    fills: int
    realized: Decimal
    holdings: Sequence[Holding]

    @property
    def worth(self) -> Decimal:
        """Its SOL, and its open positions at their marks."""
        return self.sol + sum((each.worth or Decimal(0) for each in self.holdings), Decimal(0))


class Look(NamedTuple):
    """One look at the daemon."""

    figures: Sequence[Figures]
    """The agent made first comes first."""
    happenings: Sequence[Happening]
    """Oldest first."""


class Watcher:
    """Looks at a daemon; what was there before the first look is not new."""

    def __init__(self, http: Http) -> None:
        self._http = http
        self._names: Mapping[str, str] = {}
        self._seen: set[str] = set()
        self._has_looked = False

    async def look(self) -> Look:
        """The figures now, and what is new since the last look."""
        agents = await self._http.list_all("/agents")
        self._names = {agent["id"]: agent["name"] for agent in agents}
        signals = await self._http.get("/trading-signals", limit=50)
        orders = await self._http.get("/orders", limit=100)
        fills = await self._http.list_all("/agent-transactions", transactionType="SWAP")
        swaps = await self._http.list_all("/agent-historical-swaps")
        positions = await self._http.list_all("/agent-positions")
        figures = [
            _figures(agent, await self._sol(agent["id"]), fills, swaps, positions)
            for agent in reversed(agents)
        ]
        new = [self._fill(each) for each in self._unseen("fill", fills)]
        new.extend(self._closed(each) for each in self._unseen("closed", swaps))
        expired = [order for order in orders if order["status"] == "expired"]
        new.extend(self._expired(each) for each in self._unseen("expired", expired))
        for signal in self._unseen("signal", signals):
            if self._has_looked:
                new.extend(await self._signal(signal))
        if not self._has_looked:
            self._has_looked, new = True, []
        return Look(figures, sorted(new, key=lambda each: (each.at, ORDER.index(each.kind))))

    def _unseen(self, kind: Kind, rows: Sequence[Row]) -> list[Row]:
        """The rows that were not there before; the API lists the newest first."""
        found = [row for row in reversed(rows) if f"{kind} {row['id']}" not in self._seen]
        self._seen.update(f"{kind} {row['id']}" for row in found)
        return found

    async def _sol(self, agent_id: str) -> Decimal:
        rows = await self._http.get("/agent-balances", agentId=agent_id, tokenAddress=SOL)
        return sum((Decimal(row["balance"]) for row in rows), Decimal(0))

    async def _signal(self, row: Row) -> list[Happening]:
        token = row["symbol"] or row["tokenAddress"]
        why = f" ({row['reason']})" if row["reason"] else ""
        said = [Happening(row["createdAt"], "signal", f"{row['action']} {token}, score {row['score']}{why}")]
        for each in reversed(await self._http.list_all(f"/trading-signals/{row['id']}/decisions")):
            if each["outcome"] == "denied":
                text = (
                    f"{self._name(each)}: {token} by rule {each['rule']}, "
                    f"limit {each['limit']}, value {each['value']}"
                )
                said.append(Happening(each["createdAt"], "denied", text))
        return said

    def _fill(self, row: Row) -> Happening:
        verb, token = ("buys", "output") if row["inputMint"] == SOL else ("sells", "input")
        text = (
            f"{self._name(row)} {verb} {tokens(Decimal(row[f'{token}Amount']))} {row[f'{token}Symbol']} "
            f"at {price(Decimal(row[f'{token}Price']))} for {sol(Decimal(row['transactionValueSol']))} SOL, "
            f"fee {plain(Decimal(row['fees']))} ({row['purpose']})"
        )
        return Happening(row["transactionTime"], "fill", text)

    def _closed(self, row: Row) -> Happening:
        change = Decimal(row["changePercent"] or 0)
        text = (
            f"{self._name(row)} {row['tokenSymbol']} by {row['closeReason']}: price {change:+.2f} %, "
            f"{signed(Decimal(row['profitLossSol']))} SOL net of fees"
        )
        return Happening(row["saleTime"], "closed", text)

    def _expired(self, row: Row) -> Happening:
        text = f"{self._name(row)} order for {row['tokenSymbol']}: {row['endReason']}"
        return Happening(row["endedAt"], "expired", text)

    def _name(self, row: Row) -> str:
        return self._names.get(row["agentId"], row["agentId"])


def _figures(
    agent: Row, balance: Decimal, fills: Sequence[Row], swaps: Sequence[Row], positions: Sequence[Row]
) -> Figures:
    def own(rows: Sequence[Row]) -> list[Row]:
        return [row for row in rows if row["agentId"] == agent["id"]]

    return Figures(
        id=agent["id"],
        name=agent["name"],
        sol=balance,
        fills=len(own(fills)),
        realized=sum((Decimal(row["profitLossSol"]) for row in own(swaps)), Decimal(0)),
        holdings=[_holding(row) for row in reversed(own(positions))],
    )


def _holding(row: Row) -> Holding:
    worth, percent = row["current"]["valueNative"], row["profitLoss"]["percent"]
    return Holding(
        id=row["id"],
        symbol=row["tokenSymbol"],
        quantity=Decimal(row["quantity"]),
        worth=None if worth is None else Decimal(worth),
        profit_percent=None if percent is None else Decimal(percent),
    )


def price(value: Decimal) -> str:
    """A price for the eye: six significant digits."""
    return plain(_EYE.plus(value))


def sol(amount: Decimal) -> str:
    """SOL for the eye: four decimals."""
    return f"{amount:,.4f}"


def signed(amount: Decimal) -> str:
    """SOL for the eye, with its sign."""
    return f"{amount:+,.4f}"


def tokens(amount: Decimal) -> str:
    """An amount of tokens for the eye."""
    return f"{amount:,.2f}"
