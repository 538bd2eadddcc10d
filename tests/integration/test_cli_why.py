"""`tapefold why` on trades that a running daemon made."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from daemon.domain.risk import RULES, SIZED_RULES
from ops.why.reached import AGENTS_SHOWN
from tests.support.cli import Cli
from tests.support.client import Client
from tests.support.served import Served, trading

STOPPED = {"stopLoss": {"enabled": True, "percent": "20"}}


async def told(cli: Cli, id_: str) -> dict[str, Any]:
    said = await cli.run("why", id_, "--json")
    assert (said.code, said.err) == (0, "")
    assert said.out.count("\n") == 1
    return dict(json.loads(said.out))


async def test_every_id_of_a_chain_tells_the_same_position(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """Signal, order, fill and position lead to the same figures, with fills, ledger, rules and config."""
    cli = Cli(tmp_path / "home", database_url)
    agent = await trading(admin, STOPPED)
    signal = await agent.buy()
    await agent.price("0.005")
    swaps = (await admin.get("/agent-historical-swaps")).body
    while not swaps:
        swaps = (await admin.get("/agent-historical-swaps")).body
    (swap,) = swaps
    of_signal = await told(cli, signal)
    entry, stop = of_signal["orders"]
    for id_ in (entry["id"], stop["fill"]["id"], swap["id"]):
        story = await told(cli, id_)
        assert {name: story[name] for name in ("signals", "orders", "positions")} == {
            name: of_signal[name] for name in ("signals", "orders", "positions")
        }
    (decision,) = of_signal["signals"][0]["decisions"]
    assert [each["rule"] for each in decision["rules"]] == [rule.__name__ for rule in (*RULES, *SIZED_RULES)]
    assert {each["answer"] for each in decision["rules"]} == {"passed"}
    assert decision["config"]["version"] == 1
    assert decision["config"]["values"]["stopLoss"] == STOPPED["stopLoss"]
    assert (entry["purpose"], stop["purpose"], stop["triggerPrice"]) == ("entry", "stop_loss", "0.00536")
    assert stop["cause"]["readings"][0]["price"] == "0.005"
    (position,) = of_signal["positions"]
    assert [change["fillId"] for change in position["changes"]] == [entry["fill"]["id"], stop["fill"]["id"]]
    assert position["realizedPnl"] == swap["profitLossSol"]
    assert [line["reason"] for line in entry["fill"]["ledger"]] == ["swap", "fee", "swap"]
    offsets = [(part["tapeOffset"], part["journalOffset"]) for part in (entry, stop)]
    assert offsets == [(3, 2), (4, 3)]


async def test_a_signal_tells_its_own_orders_alone(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """Of a position that several signals bought, each tells its own order and all changes."""
    cli = Cli(tmp_path / "home", database_url)
    agent = await trading(admin)
    first, second = await agent.buy(), await agent.buy()
    stories = {signal: await told(cli, signal) for signal in (first, second)}
    for signal, story in stories.items():
        (order,) = story["orders"]
        assert order["signalId"] == signal
        (position,) = story["positions"]
        assert [change["signalId"] for change in position["changes"]] == [first, second]
    (position,) = (await admin.get("/agent-positions")).body
    assert [each["signalId"] for each in (await told(cli, position["id"]))["orders"]] == [first, second]
    said = (await cli.run("why", second)).out
    assert said.count("\norder ") == 1
    assert f"for signal {second}" in said
    (other,) = stories[first]["orders"]
    assert f"by order {other['id']} (entry) for signal {first}, not told here" in said


async def test_a_denial_names_its_rule_and_what_was_not_asked(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """Of a denied signal the rule, its limit and the value are told, the rules before it and those behind."""
    cli = Cli(tmp_path / "home", database_url)
    agent = await trading(admin, {"signals": {"minStrength": 5}})
    story = await told(cli, await agent.buy())
    (decision,) = story["signals"][0]["decisions"]
    assert (decision["outcome"], decision["rule"]) == ("denied", "min_strength")
    assert (decision["limit"], decision["value"]) == ("5", "4")
    answers = [each["answer"] for each in decision["rules"]]
    assert answers[:3] == ["passed", "denied", "not asked"]
    assert (story["orders"], story["positions"]) == ([], [])


async def test_the_text_tells_the_chain(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """Without a terminal the text is plain: prices, rules, offsets, ledger and figures in their order."""
    cli = Cli(tmp_path / "home", database_url)
    agent = await trading(admin)
    said = await cli.run("why", await agent.buy())
    assert said.code == 0
    assert "\x1b" not in said.out
    rest = said.out
    for part in (
        "signal ", "tape offset 3, journal offset 2", "buy USDC, strength 4", 'agent "agent"',
        "price 0.0067 SOL", "rules passed: signal_expiry", "config version 0, the defaults:",
        "order ", "entry #0, buy for 1 SOL", "config version 0, as above",
        "fill ", "reference price 0.0067 SOL", "ledger: -0.997 SOL (swap), balance 9.003",
        "position ", "opened by fill", "holds 148.805970149", "realized PnL 0 SOL",
    ):  # fmt: skip
        found, rest = rest.partition(part)[1:]
        assert found, (part, said.out)


async def test_of_many_agents_ten_are_told_and_the_rest_counted(
    served: Served, admin: Client, database_url: str, tmp_path: Path
) -> None:
    """The text tells the chains of the first ten agents with their configs; `--json` tells all of them."""
    cli = Cli(tmp_path / "home", database_url)
    for _ in range(AGENTS_SHOWN):
        agent = await trading(admin, STOPPED)
    for _ in range(2):
        agent = await trading(admin, {"signals": {"minStrength": 5}})
    signal = await agent.buy()
    story = await told(cli, signal)
    decisions = story["signals"][0]["decisions"]
    assert len({each["agentId"] for each in decisions}) == AGENTS_SHOWN + 2
    assert (len(story["orders"]), len(story["positions"])) == (AGENTS_SHOWN, AGENTS_SHOWN)
    for each in decisions:
        assert each["config"]["tapeOffset"] is not None
        assert each["config"]["values"]["stopLoss"]["enabled"] is (each["outcome"] == "approved")
    said = (await cli.run("why", signal)).out
    shown, rest = decisions[:AGENTS_SHOWN], decisions[AGENTS_SHOWN:]
    assert all(f"{each['agentId']}: {each['outcome']}" in said for each in shown)
    assert not any(each["agentId"] in said for each in rest)
    assert said.count("\norder ") == sum(each["outcome"] == "approved" for each in shown)
    counts = ", ".join(
        f"{number} {outcome}" for outcome, number in sorted(Counter(each["outcome"] for each in rest).items())
    )
    assert f"and 2 further agents: {counts} (--json tells all)" in said


async def test_an_unknown_id_is_one_line(served: Served, database_url: str, tmp_path: Path) -> None:
    """An id that nothing has ends with 1, what is no id at all with 2, and each with a line that says so."""
    cli = Cli(tmp_path / "home", database_url)
    said = await cli.run("why", "00000000-0000-4000-8000-000000000000")
    assert (said.code, said.out) == (1, "")
    assert "no signal, order, fill or position has the id 00000000" in said.one_line()
    said = await cli.run("why", "nonsense")
    assert (said.code, said.out) == (2, "")
    assert "'nonsense' is no id" in said.one_line()
