"""The shape of every resource, on the whole daemon: names, strings for money, times."""

from __future__ import annotations

import re
from typing import Any

from daemon.domain.ids import balance_id, simulated_wallet
from daemon.domain.values import SOL, AgentId, Mint
from tests.support.client import Client
from tests.support.served import MINT, OTHER_MINT, Served, trading

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def check_times(found: Any) -> None:
    """Every key that says a time holds one, and no number but flags, counts and priceSol stands anywhere."""
    match found:
        case list():
            for each in found:
                check_times(each)
        case dict():
            for name, value in found.items():
                if isinstance(value, str) and re.search(r"(At|Time|Updated|time)$", name):
                    assert TIME.fullmatch(value), (name, value)
                assert not isinstance(value, float) or name == "priceSol", (name, value)
                check_times(value)


async def test_an_agent_looks_as_documented(admin: Client) -> None:
    """An agent has the fields of the overview, and what we add to them."""
    made = await admin.post("/agents", {"name": "My Agent", "tradingMode": "simulation"})
    assert made.status == 201
    body = {name: value for name, value in made.body.items() if name != "recorded"}
    assert UUID.fullmatch(body["id"])
    assert body["createdAt"] == body["updatedAt"]
    check_times(body)
    assert body | {"id": "", "createdAt": "", "updatedAt": "", "walletAddress": ""} == {
        "id": "",
        "name": "My Agent",
        "tradingMode": "simulation",
        "isActive": True,
        "paused": False,
        "quarantined": False,
        "quarantineReason": None,
        "walletAddress": "",
        "configVersion": 0,
        "createdAt": "",
        "updatedAt": "",
        "deletedAt": None,
    }
    assert body["walletAddress"] == simulated_wallet(AgentId(body["id"]))
    assert (await admin.get(f"/agents/{body['id']}")).body == body
    assert (await admin.get(f"/agents/{body['id'].upper()}")).body == body
    assert (await admin.get("/agents")).body == [body]


async def test_an_agent_can_be_changed_and_deleted(admin: Client) -> None:
    """Renaming, pausing and deleting show; a deleted agent is gone from reads."""
    path = f"/agents/{(await admin.post('/agents', {'name': 'a'})).body['id']}"
    changed = await admin.put(path, {"name": "b", "isActive": False})
    assert (changed.body["name"], changed.body["isActive"], changed.body["paused"]) == ("b", False, True)
    assert (await admin.put(path, {"paused": False})).body["isActive"] is True
    assert (await admin.send("DELETE", path)).body["success"] is True
    for gone in (path, f"{path}/config"):
        assert (await admin.get(gone)).body["code"] == "AGENT_NOT_FOUND"
    assert (await admin.get("/agents")).body == []


async def test_a_config_is_replaced_not_merged(admin: Client) -> None:
    """PUT puts the given keys over the defaults; what an earlier PUT gave is gone."""
    config = {"stopLoss": {"enabled": True}}
    made = await admin.post("/agents", {"name": "a", "config": config})
    path = f"/agents/{made.body['id']}/config"
    first = await admin.get(path)
    assert first.body["config"]["stopLoss"] == {"enabled": True, "percent": "32"}
    second = await admin.put(path, {"config": {"sizing": {"amount": "2.50"}}})
    assert second.body["version"] == first.body["version"] + 1
    assert second.body["given"] == {"sizing": {"amount": "2.5"}}
    assert second.body["config"]["stopLoss"]["enabled"] is False
    third = await admin.put(path, {"market": {"maxPriceAgeSeconds": 5}})
    assert third.body["config"]["market"]["maxPriceAgeSeconds"] == 5
    assert (await admin.get(path)).body == {k: v for k, v in third.body.items() if k != "recorded"}


async def test_balances_look_as_documented(admin: Client) -> None:
    """A balance has the seed's fields; priceSol is a number, SOL's is 1, and only lists have it."""
    agent = await trading(admin)
    await agent.buy()
    found = (await admin.get(f"/agent-balances?agentId={agent.agent_id}")).body
    check_times(found)
    by_mint = {each["tokenAddress"]: each for each in found}
    sol, token = by_mint[SOL], by_mint[MINT]
    assert (sol["tokenSymbol"], sol["balance"], sol["priceSol"]) == ("SOL", "9", 1)
    assert (token["tokenSymbol"], token["balance"], token["priceSol"]) == ("USDC", "148.805970149", 0.0067)
    assert token["id"] == balance_id(AgentId(agent.agent_id), Mint(MINT))
    one = (await admin.get(f"/agent-balances/{token['id']}")).body
    assert set(one) == {
        "id",
        "agentId",
        "walletAddress",
        "tokenAddress",
        "tokenSymbol",
        "balance",
        "lastUpdated",
    }
    filtered = await admin.get(f"/agent-balances?agentId={agent.agent_id}&walletAddress=other")
    assert filtered.body == []


async def test_a_trade_can_be_followed_through_all_resources(admin: Client) -> None:
    """Signal, decision, order, transaction, position and closed trade name each other and agree."""
    agent = await trading(admin, {"stopLoss": {"enabled": True, "percent": "10"}})
    signal_id = await agent.buy()
    signal = (await admin.get(f"/trading-signals/{signal_id}")).body
    decision = (await admin.get(f"/trading-signals/{signal_id}/decisions")).body[0]
    order = (await admin.get(f"/orders/{decision['orderId']}")).body
    fill = (await admin.get(f"/agent-transactions/{order['fillId']}")).body
    position = (await admin.get(f"/agent-positions/{order['positionId']}")).body
    check_times([signal, decision, order, fill, position])
    assert (signal["signalType"], signal["score"], signal["signalStrength"]) == ("buy", 4, 4)
    assert (decision["outcome"], decision["price"]) == ("approved", "0.0067")
    assert (order["status"], order["side"], order["quantity"], order["quantityMint"]) == (
        "filled",
        "buy",
        "1",
        SOL,
    )
    assert (fill["transactionType"], fill["inputMint"], fill["inputAmount"], fill["inputPrice"]) == (
        "SWAP",
        SOL,
        "0.997",
        "1",
    )
    assert (fill["outputMint"], fill["outputAmount"], fill["outputPrice"]) == (
        MINT,
        "148.805970149",
        "0.0067",
    )
    assert (fill["fees"], fill["protocolFeeSol"], fill["positionId"]) == ("0.003", "0.003", position["id"])
    assert position["purchase"]["transaction"]["id"] == fill["id"]
    assert position["stopLoss"] == {"percentage": "10", "price": "0.00603", "peakPrice": None}
    assert position["profitLoss"]["native"] == "-0.003000001"
    await agent.price("0.009")
    closed = await admin.post(f"/agent-positions/{position['id']}/close")
    assert (closed.status, closed.body["status"]) == (200, "closed")
    shown = (await admin.get(f"/agent-positions/{position['id']}")).body
    assert {name: each for name, each in closed.body.items() if name not in {"orders", "recorded"}} == shown
    assert [each["status"] for each in closed.body["orders"]] == ["filled"]
    swap = (await admin.get(f"/agent-historical-swaps/{position['id']}")).body
    check_times(swap)
    assert (swap["signalId"], swap["purchaseTransactionId"], swap["saleTransactionId"]) == (
        signal_id,
        fill["id"],
        closed.body["orders"][0]["fillId"],
    )
    assert (swap["purchasePrice"], swap["salePrice"], swap["closeReason"]) == ("0.0067", "0.009", "manual")
    assert swap["profitLossSol"] == closed.body["realizedProfitSol"]
    sale = (await admin.get(f"/agent-transactions/{swap['saleTransactionId']}")).body
    assert (sale["inputMint"], sale["outputMint"], sale["purpose"]) == (MINT, SOL, "manual")
    assert (await admin.get("/agent-positions")).body == []


async def test_an_exit_without_a_fresh_price_waits(admin: Client) -> None:
    """Closing at a stale price answers 200 with the position open and its exit waiting; twice is 409."""
    agent = await trading(
        admin, {"fillModel": {"latencyMs": 60_000}, "market": {"orderExpirySeconds": 86_400}}
    )
    await admin.put(f"/agents/{agent.agent_id}/config", {})
    await agent.buy()
    await admin.put(f"/agents/{agent.agent_id}/config", {"fillModel": {"latencyMs": 60_000}})
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    closing = await admin.post(f"/agent-positions/{position_id}/close")
    assert (closing.status, closing.body["status"]) == (200, "open")
    assert [each["status"] for each in closing.body["orders"]] == ["approved"]
    again = await admin.post(f"/agent-positions/{position_id}/close")
    assert (again.status, again.body["code"]) == (409, "POSITION_CLOSING")


async def test_a_position_is_closed_once(served: Served, admin: Client) -> None:
    """Closing what is closed is 409 and says since when; an unknown or foreign position is 404."""
    agent = await trading(admin)
    await agent.buy()
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    path = f"/agent-positions/{position_id}/close"
    closed_at = (await admin.post(path)).body["closedAt"]
    refused = await admin.post(path, key="k")
    assert (refused.status, refused.body["code"]) == (409, "POSITION_CLOSED")
    assert (refused.body["rule"], refused.body["limit"], refused.body["value"]) == (
        "open_position",
        "open",
        "closed",
    )
    assert refused.body["closedAt"] == closed_at
    assert closed_at in refused.body["error"]
    again = await admin.post(path, key="k")
    assert (again.status, again.body, again.headers["Idempotency-Replayed"]) == (409, refused.body, "true")
    other = await served.client("trade", owner="other")
    unknown = "/agent-positions/550e8400-e29b-41d4-a716-446655440000/close"
    for answer in (await other.post(path), await admin.post(unknown)):
        assert (answer.status, answer.body["code"]) == (404, "POSITION_NOT_FOUND")
        assert "closedAt" not in answer.body


async def test_a_position_that_is_told_to_close_looks_as_when_it_is_read(admin: Client) -> None:
    """The answer of a close has all that a read of the position has, its stop too, and its exits."""
    agent = await trading(admin, {"stopLoss": {"enabled": True, "percent": "10"}})
    await agent.buy()
    slow = {"stopLoss": {"enabled": True, "percent": "10"}, "fillModel": {"latencyMs": 60_000}}
    await admin.put(f"/agents/{agent.agent_id}/config", slow)
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    closing = (await admin.post(f"/agent-positions/{position_id}/close")).body
    shown = (await admin.get(f"/agent-positions/{position_id}")).body
    assert closing["stopLoss"] == {"percentage": "10", "price": "0.00603", "peakPrice": None}
    assert {name: each for name, each in closing.items() if name not in {"orders", "recorded"}} == shown


async def test_a_denial_says_what_is_open_already(admin: Client) -> None:
    """`already_open` names the position that is held, or the order that waits to open one."""
    one = {"purchaseLimits": {"onePositionPerToken": True}}
    holder = await trading(admin, one)
    waiter = await trading(admin, {**one, "fillModel": {"latencyMs": 60_000}})
    first, second = await holder.buy(), await holder.buy()
    position = (await admin.get(f"/agent-positions?agentId={holder.agent_id}")).body[0]
    order = (await admin.get(f"/orders?agentId={waiter.agent_id}&signalId={first}")).body[0]
    decisions = (await admin.get(f"/trading-signals/{second}/decisions")).body
    assert {each["agentId"]: (each["rule"], each["limit"], each["value"]) for each in decisions} == {
        holder.agent_id: ("already_open", "1 position per token", f"position {position['id']}"),
        waiter.agent_id: ("already_open", "1 position per token", f"order {order['id']}"),
    }


async def test_a_balance_that_cannot_be_held_is_told_in_sol(admin: Client) -> None:
    """A deposit beyond what can be held is 409 in the unit of the deposit."""
    agent = await trading(admin)
    answer = await admin.post(f"/agents/{agent.agent_id}/deposits", {"amount": "18446744073.709551615"})
    assert (answer.status, answer.body["code"]) == (409, "BALANCE_TOO_LARGE")
    assert (answer.body["limit"], answer.body["value"]) == (
        "18446744073.709551615 SOL",
        "18446744083.709551615 SOL",
    )


async def test_a_token_without_a_symbol_is_called_by_its_mint(admin: Client) -> None:
    """`tokenSymbol` is always a string: the signal's symbol, and where it gave none the mint."""
    agent = await trading(admin)
    await admin.post("/trading-signals", {"tokenAddress": MINT, "action": "buy", "score": 4})
    for path in ("agent-positions", "orders", "agent-balances"):
        found = (await admin.get(f"/{path}?agentId={agent.agent_id}&tokenAddress={MINT}")).body
        assert [each["tokenSymbol"] for each in found] == [MINT]


async def test_a_signal_for_named_agents_reaches_no_other(admin: Client) -> None:
    """`agentIds` narrows a signal; an unknown one refuses it whole."""
    agents = [await trading(admin) for _ in range(3)]
    chosen = [agents[2].agent_id, agents[0].agent_id]
    body: dict[str, Any] = {"tokenAddress": MINT, "signalType": "x", "signalStrength": 1, "agentIds": chosen}
    signal = await admin.post("/trading-signals", body)
    assert signal.body["agentIds"] == chosen
    decisions = (await admin.get(f"/trading-signals/{signal.body['id']}/decisions")).body
    assert {each["agentId"] for each in decisions} == set(chosen)
    one = await admin.get(
        f"/trading-signals/{signal.body['id']}/decisions?agentId={chosen[0]}&outcome=approved"
    )
    assert [each["agentId"] for each in one.body] == chosen[:1]
    body["agentIds"] = [chosen[0], "550e8400-e29b-41d4-a716-446655440000"]
    refused = await admin.post("/trading-signals", body)
    assert (refused.status, refused.body["code"]) == (404, "AGENT_NOT_FOUND")
    assert refused.body["value"] == body["agentIds"][1]


async def test_lists_are_paged_and_newest_first(admin: Client) -> None:
    """`limit` and `offset` cut a list; without them it has 50."""
    for number in range(52):
        await admin.post("/agents", {"name": str(number)}, Prefer="respond-async")
    await admin.post("/agents", {"name": "52"})
    names = [each["name"] for each in (await admin.get("/agents")).body]
    assert names == [str(number) for number in range(52, 2, -1)]
    assert [each["name"] for each in (await admin.get("/agents?limit=2&offset=51")).body] == ["1", "0"]
    assert (await admin.get("/agents?offset=100")).body == []


async def test_prices_show_what_was_accepted(admin: Client, served: Served) -> None:
    """The list of prices holds each mint's mark with all that was said of it, exactly."""
    reading = {
        "tokenAddress": OTHER_MINT,
        "priceSol": "0.000000012345678901234567",
        "low": "0.00000001",
        "high": "0.00000002",
        "source": "feed",
        "liquiditySol": "123.456789012",
        "decimals": 5,
        "at": "2024-01-15T10:30:00Z",
    }
    await admin.post("/prices", {"prices": [reading]})
    await admin.post("/agents", {"name": "behind the prices"})
    found = (await admin.get("/prices")).body
    refused = found[0].pop("refused")
    assert found == [{**reading, "at": "2024-01-15T10:30:00.000Z"}]
    assert refused == [{"source": "feed", "reason": "age"}]
    assert (await admin.get(f"/prices?tokenAddress={MINT}")).body == []


async def test_prices_show_what_was_refused(admin: Client) -> None:
    """A source whose reading the guard keeps from trading is named with the reason, until it reads well."""

    async def post(price: str, source: str, **more: Any) -> list[dict[str, Any]]:
        reading = {"tokenAddress": MINT, "priceSol": price, "source": source, **more}
        assert (await admin.post("/prices", {"prices": [reading]})).status == 202
        await admin.post("/agents", {"name": "behind the prices"})
        found = (await admin.get(f"/prices?tokenAddress={MINT}")).body
        assert (await admin.get("/prices")).body == found
        return list(found)

    (found,) = await post("1", "early", at="2999-01-01T00:00:00Z")
    assert found["priceSol"] is None
    assert found["refused"] == [{"source": "early", "reason": "future"}]
    (found,) = await post("1", "good", decimals=6)
    assert (found["priceSol"], found["refused"]) == ("1", [{"source": "early", "reason": "future"}])
    (found,) = await post("9", "wild")
    (found,) = await post("1", "odd", decimals=9)
    assert [each["reason"] for each in found["refused"]] == ["future", "jump", "decimals"]
    (found,) = await post("1.1", "wild")
    assert [each["source"] for each in found["refused"]] == ["early", "odd"]


async def test_filters_find_what_they_name(admin: Client) -> None:
    """Transactions, swaps, orders and signals can be narrowed by what they hold."""
    agent = await trading(admin)
    signal_id = await agent.buy()
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    await admin.post(f"/agent-positions/{position_id}/close")
    for path, count in (
        ("/agent-transactions", 3),
        (f"/agent-transactions?agentId={agent.agent_id}", 3),
        ("/agent-transactions?transactionType=DEPOSIT", 1),
        (f"/agent-transactions?positionId={position_id}", 2),
        (f"/agent-transactions?tokenAddress={OTHER_MINT}", 0),
        ("/agent-transactions?startTime=2999-01-01T00:00:00Z", 0),
        (f"/agent-historical-swaps?signalId={signal_id}&closeReason=manual", 1),
        ("/agent-historical-swaps?tokenSymbol=USDC", 1),
        ("/agent-historical-swaps?endSaleTime=2020-01-01T00:00:00Z", 0),
        ("/orders?side=sell", 1),
        ("/orders?status=approved", 0),
        (f"/trading-signals?tokenAddress={MINT}&signalType=buy", 1),
        ("/trading-signals?signalType=sell", 0),
    ):
        answer = await admin.get(path)
        assert (answer.status, len(answer.body)) == (200, count), path
