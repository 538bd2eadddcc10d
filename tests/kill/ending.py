"""What must hold when the killing is over: answers, trading, and all that is stored."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from typing import Any, Final

from asyncpg.connection import Connection

from daemon.database import Database
from daemon.records import ChainReader
from projections import rebuild
from streams.log.contract import Log
from tests.kill.asks import Book
from tests.kill.audit import Audit
from tests.kill.posters import Poster, Sender

TOLD_AGAIN_MAX: Final = 300
TRADE_SECONDS_MAX: Final = 20.0
PAGE: Final = 2_000
LAST_MINT: Final = "4k3Dyjzvzp8eMZWUXbBCjEvwSkkk59S5iCNLY3QrkX6R"


async def tell_again(senders: Mapping[str, Sender], book: Book, chance: random.Random) -> None:
    """Every old key still gets its first answer: now a replay, with the outcome where none was told."""
    known = book.acknowledged
    for ask in chance.sample(known, min(TOLD_AGAIN_MAX, len(known))):
        ask.no_wait = False
        answer = await senders[ask.owner].deliver(ask)
        if ask.kind != "prices" and not (answer.tells_outcome and answer.is_replay):
            book.wrong.append(f"asked again at the end, and no replay: {answer}: {ask}")


async def still_trades(trader: Poster, operator: Poster, agents: tuple[str, ...], book: Book) -> None:
    """A new signal is filled for an agent that has money and the default config."""
    agent = agents[0]
    preparing: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("PUT", f"/agents/{agent}", {"paused": False}),
        ("PUT", f"/agents/{agent}/config", {}),
        ("POST", f"/agents/{agent}/deposits", {"amount": "5"}),
    )
    for method, path, body in preparing:
        await trader.sender.deliver(trader.ask("update", method, path, body))
    reading = {"tokenAddress": LAST_MINT, "priceSol": "0.5", "source": "kill suite"}
    await operator.sender.deliver(operator.ask("prices", "POST", "/prices", {"prices": [reading]}))
    body = {"tokenAddress": LAST_MINT, "action": "buy", "score": 5, "agentIds": [agent]}
    ask = trader.ask("signal", "POST", "/trading-signals", body, agents=(agent,))
    await trader.sender.deliver(ask)
    shown: Any = None
    for _ in range(int(TRADE_SECONDS_MAX / 0.1)):
        shown = await trader.sender.get(f"/api/v1/orders?signalId={ask.id}&agentId={agent}")
        if shown and shown[0]["status"] == "filled":
            return
        await asyncio.sleep(0.1)
    book.wrong.append(f"a new signal is not filled: orders are {shown}: {ask}")


async def hold_stored(log: Log, database: Database, audits: Sequence[Audit]) -> None:
    """Read models are what the audits computed, and the product's own reading agrees with both.

    What is wrong is said in the first of the audits.
    """
    connection = await database.session()
    await _hold_read_models(connection, audits)
    connection.terminate()
    for audit in audits:
        chain, after = ChainReader(), -1
        while records := (await log.read_journal(audit.tape, after, PAGE)).records:
            for _ in chain.read(records):
                pass
            after = records[-1].offset
        if not chain.whole:
            audit.wrong.append("the journal ends inside an entry")
    found = await rebuild.check(log, database)
    audits[0].wrong.extend(f"a read model differs from a fresh fold: {each}" for each in found)


async def _hold_read_models(connection: Connection, audits: Sequence[Audit]) -> None:
    """Balances are the sums of ledger entries, open positions are the lots of fills, decisions are there."""
    wrong = audits[0].wrong
    rows = await connection.fetch("SELECT agent_id::text, mint, balance FROM read.balances")
    stored = {(row["agent_id"], row["mint"]): int(row["balance"]) for row in rows if row["balance"]}
    sums = {key: sum_ for each in audits for key, sum_ in each.accounts.balances.items() if sum_}
    _same(wrong, "balance", stored, sums)
    rows = await connection.fetch(
        "SELECT agent_id::text, mint, id::text, quantity, cost_lamports FROM read.positions"
        " WHERE closed_at IS NULL"
    )
    held = {
        (row["agent_id"], row["mint"]): (row["id"], int(row["quantity"]), int(row["cost_lamports"]))
        for row in rows
    }
    lots = {key: lot for each in audits for key, lot in each.accounts.open_positions().items()}
    _same(wrong, "position", held, lots)
    rows = await connection.fetch(
        "SELECT signal_id::text AS signal, count(*) AS decisions FROM read.signal_decisions GROUP BY 1"
    )
    decided = {row["signal"]: row["decisions"] for row in rows}
    computed = {key: sum(by.values()) for each in audits for key, by in each.decisions.items()}
    _same(wrong, "decisions", decided, computed)


def _same(wrong: list[str], what: str, stored: Mapping[Any, Any], computed: Mapping[Any, Any]) -> None:
    wrong.extend(
        f"{what} of {key}: shown {stored.get(key)}, computed {computed.get(key)}"
        for key in sorted({*stored, *computed})
        if stored.get(key) != computed.get(key)
    )
