"""Read your own writes, idempotency and denials, on the whole daemon."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from api.times import moment_text
from daemon import clock
from tests.support.client import Client
from tests.support.served import MINT, Served, serve, trading

SIGNAL: dict[str, Any] = {"tokenAddress": MINT, "action": "buy", "score": 4}
REPLAYED = "Idempotency-Replayed"


@pytest.fixture
async def impatient(database_url: str) -> AsyncIterator[Served]:
    """A daemon whose writes wait 50 ms, so that a stopped one answers soon."""
    async with serve(database_url, wait_seconds=0.05) as running:
        yield running


async def test_a_write_can_be_read_at_once(admin: Client) -> None:
    """When a signal is answered 201, its order, position and balances can be read."""
    agent = await trading(admin)
    signal_id = await agent.buy()
    orders = await admin.get(f"/orders?signalId={signal_id}")
    assert [each["status"] for each in orders.body] == ["filled"]
    positions = await admin.get(f"/agent-positions?agentId={agent.agent_id}")
    assert [each["signalId"] for each in positions.body] == [signal_id]


async def test_every_write_names_where_it_is_recorded(served: Served, admin: Client) -> None:
    """`recorded` is the place of the input on the tape, and grows with every write."""
    agent = await admin.post("/agents", {"name": "a"})
    path = f"/agents/{agent.body['id']}"
    answers = [
        agent,
        await admin.put(path, {"paused": True}),
        await admin.put(f"{path}/config", {"stopLoss": {"enabled": True}}),
        await admin.post(f"{path}/deposits", {"amount": "1"}),
        await admin.post(f"{path}/release"),
        await admin.post("/trading-signals", SIGNAL),
        await admin.send("DELETE", path),
    ]
    assert [answer.status for answer in answers] == [201, 200, 200, 201, 200, 201, 200]
    assert [answer.body["recorded"] for answer in answers] == [
        [{"tape": 0, "offset": offset}] for offset in range(len(answers))
    ]


async def test_a_retry_gets_the_first_outcome(served: Served, admin: Client) -> None:
    """The same key and body answer as the first time, are marked, and append nothing."""
    agent = await trading(admin)
    first = await admin.post("/trading-signals", SIGNAL, key="k")
    head = served.daemon.standing.tapes[0].head
    again = await admin.post("/trading-signals", SIGNAL, X_Idempotency_Key="k")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert REPLAYED not in first.headers
    assert again.headers[REPLAYED] == "true"
    assert served.daemon.standing.tapes[0].head == head
    assert len((await admin.get(f"/orders?agentId={agent.agent_id}")).body) == 1


async def test_a_retry_with_another_body_is_422(served: Served, admin: Client) -> None:
    """A key binds its first body; another one changes nothing."""
    await trading(admin)
    await admin.post("/trading-signals", SIGNAL, key="k")
    head = served.daemon.standing.tapes[0].head
    answer = await admin.post("/trading-signals", {**SIGNAL, "score": 5}, key="k")
    assert (answer.status, answer.body["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert served.daemon.standing.tapes[0].head == head


async def test_a_race_of_the_same_key_acts_once(admin: Client) -> None:
    """Requests with one key at the same time pass the courtesy lookup together: the trader lets one act."""
    agent = await trading(admin)
    answers = await asyncio.gather(*(admin.post("/trading-signals", SIGNAL, key="k") for _ in range(8)))
    assert {answer.status for answer in answers} == {201}
    assert len({answer.body["id"] for answer in answers}) == 1
    assert sum(REPLAYED not in answer.headers for answer in answers) == 1
    assert len((await admin.get(f"/orders?agentId={agent.agent_id}")).body) == 1


async def test_a_race_of_the_same_key_and_other_bodies_has_one_winner(admin: Client) -> None:
    """Of different bodies with one key one acts; all others are 422."""
    await trading(admin)
    bodies = [{**SIGNAL, "score": score} for score in (1, 2, 3, 4, 5)]
    answers = await asyncio.gather(*(admin.post("/trading-signals", body, key="k") for body in bodies))
    assert sorted(answer.status for answer in answers) == [201, 422, 422, 422, 422]


async def test_a_key_belongs_to_its_owner_not_to_the_api_key(served: Served, admin: Client) -> None:
    """Rotating an API key doubles nothing; another owner's same key is another request."""
    first = await admin.post("/agents", {"name": "a"}, key="k")
    rotated = await served.client("trade")
    assert (await rotated.post("/agents", {"name": "a"}, key="k")).headers[REPLAYED] == "true"
    other = await served.client("trade", owner="other")
    answer = await other.post("/agents", {"name": "a"}, key="k")
    assert answer.status == 201
    assert answer.body["id"] != first.body["id"]


async def test_without_a_key_a_retry_is_a_new_request(admin: Client) -> None:
    """Two equal posts without a key make two agents."""
    ids = {(await admin.post("/agents", {"name": "a"})).body["id"] for _ in range(2)}
    assert len(ids) == 2


async def test_a_replay_shows_the_resource_as_it_is_now(admin: Client) -> None:
    """The outcome is the first one, the content is current."""
    made = await admin.post("/agents", {"name": "a"}, key="k")
    await admin.put(f"/agents/{made.body['id']}", {"name": "b"})
    again = await admin.post("/agents", {"name": "a"}, key="k")
    assert (again.status, again.body["name"]) == (201, "b")


async def test_every_write_route_takes_a_key(admin: Client) -> None:
    """Each write is replayed by its key: once acted, twice answered."""
    agent = await trading(admin)
    path = f"/agents/{agent.agent_id}"
    await agent.buy()
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    writes: list[tuple[str, str, Any]] = [
        ("PUT", path, {"isActive": False}),
        ("PUT", f"{path}/config", {"config": {"sizing": {"amount": "2"}}}),
        ("POST", f"{path}/deposits", {"amount": "1.5"}),
        ("POST", f"{path}/release", None),
        ("POST", f"/agent-positions/{position_id}/close", None),
        ("DELETE", path, None),
    ]
    for method, target, body in writes:
        first = await admin.send(method, target, body, key="k")
        again = await admin.send(method, target, body, key="k")
        assert (first.status, again.status) in {(200, 200), (201, 201)}, (first, again)
        assert again.headers[REPLAYED] == "true"
        assert again.body["recorded"] == first.body["recorded"]
    deposits = await admin.get(f"/agent-transactions?agentId={agent.agent_id}&transactionType=DEPOSIT")
    assert [each["inputAmount"] for each in deposits.body] == ["1.5", "10"]
    assert (await admin.get(path)).status == 404


async def test_a_denial_is_409_with_its_rule_and_is_bound(served: Served, admin: Client) -> None:
    """An impossible command says rule, limit and value; its retry gets the same denial."""
    agent = await trading(admin)
    await agent.buy()
    path = f"/agents/{agent.agent_id}"
    first = await admin.send("DELETE", path, key="k")
    assert (first.status, first.body["code"]) == (409, "AGENT_HAS_OPEN_POSITIONS")
    assert (first.body["rule"], first.body["limit"], first.body["value"]) == ("open_positions", "0", "1")
    again = await admin.send("DELETE", path, key="k")
    assert (again.status, again.body, again.headers[REPLAYED]) == (409, first.body, "true")


async def test_an_unknown_agent_is_404_and_is_bound(admin: Client) -> None:
    """A write to an agent that does not exist is the trader's denial, answered 404 each time."""
    path = "/agents/550e8400-e29b-41d4-a716-446655440000/deposits"
    first = await admin.post(path, {"amount": "1"}, key="k")
    again = await admin.post(path, {"amount": "1"}, key="k")
    assert (first.status, first.body["code"]) == (404, "AGENT_NOT_FOUND")
    assert (again.status, again.body, again.headers[REPLAYED]) == (404, first.body, "true")


async def test_a_signal_that_every_agent_denies_is_201(admin: Client) -> None:
    """Denials are no errors of the request: they are at `/decisions`, with rule, limit and value."""
    agent = await trading(admin, {"signals": {"minStrength": 5}})
    signal = await admin.post("/trading-signals", SIGNAL)
    assert signal.status == 201
    decisions = await admin.get(f"/trading-signals/{signal.body['id']}/decisions")
    assert [(each["agentId"], each["outcome"], each["limit"], each["value"]) for each in decisions.body] == [
        (agent.agent_id, "denied", "5", "4")
    ]


async def test_a_retry_after_the_expiry_gets_the_first_outcome(served: Served, admin: Client) -> None:
    """A signal whose time has passed is refused, unless its key is known: then the first answer stands."""
    await trading(admin)
    at = clock.now_ms() + 400
    body = {**SIGNAL, "expiresAt": moment_text(at)}
    assert (await admin.post("/trading-signals", body, key="k")).status == 201
    while clock.now_ms() <= at:
        await asyncio.sleep(0.05)
    assert (await admin.post("/trading-signals", body, key="k")).status == 201
    answer = await admin.post("/trading-signals", body, key="other")
    assert (answer.status, answer.body["code"]) == (400, "SIGNAL_EXPIRED")


async def test_what_was_acknowledged_is_decided_after_a_restart(impatient: Served) -> None:
    """With the stages down a write is 202 and durable; once they are up it is decided, known by its key."""
    admin = await impatient.client("admin")
    agent = await trading(admin)
    await impatient.stop()
    early = await admin.post("/trading-signals", SIGNAL, key="k")
    assert (early.status, early.body["status"]) == (202, "recorded")
    assert (await admin.get(f"/trading-signals/{early.body['id']}")).status == 404
    await impatient.start()
    assert (await admin.get(f"/trading-signals/{early.body['id']}")).status == 200
    late = await admin.post("/trading-signals", SIGNAL, key="k")
    assert (late.status, late.body["id"], late.headers[REPLAYED]) == (201, early.body["id"], "true")
    assert late.body["recorded"] == early.body["recorded"]
    assert len((await admin.get(f"/orders?agentId={agent.agent_id}")).body) == 1


async def test_a_retry_of_a_write_that_is_under_way_acts_once(impatient: Served) -> None:
    """Two copies on the tape before either is decided: the trader judges, and only the first acts."""
    admin = await impatient.client("admin")
    agent = await trading(admin)
    await impatient.stop()
    answers = [await admin.post("/trading-signals", SIGNAL, key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].body["recorded"] != answers[1].body["recorded"]
    await impatient.start()
    assert len((await admin.get(f"/orders?agentId={agent.agent_id}")).body) == 1
    assert (await admin.post("/trading-signals", {**SIGNAL, "score": 1}, key="k")).status == 422


async def test_prices_are_202_and_keyed_ones_act_once(served: Served, admin: Client) -> None:
    """Prices wait for nothing; the key of a retry protects its effects, and no answer is replayed."""
    body = {"prices": [{"tokenAddress": MINT, "priceSol": "0.5", "source": "t", "decimals": 6}]}
    answers = [await admin.post("/prices", body, key="k") for _ in range(2)]
    assert [answer.status for answer in answers] == [202, 202]
    assert answers[0].body["id"] == answers[1].body["id"]
    assert all(REPLAYED not in answer.headers for answer in answers)
    await admin.post("/agents", {"name": "behind the prices"})
    found = (await admin.get(f"/prices?tokenAddress={MINT}")).body
    assert [(each["priceSol"], each["decimals"]) for each in found] == [("0.5", 6)]


async def test_respond_async_is_durable(admin: Client) -> None:
    """A write that does not wait gets its id, under which it can be read soon."""
    answer = await admin.post("/agents", {"name": "a"}, Prefer="respond-async")
    assert answer.status == 202
    await admin.post("/agents", {"name": "b"})
    assert (await admin.get(f"/agents/{answer.body['id']}")).body["name"] == "a"
