"""Keys, scopes and owners, on the whole daemon."""

from __future__ import annotations

import pytest

from api.identity import keys
from api.identity.keys import KeyRing, Scope
from api.routes import ROUTES
from api.routing import Route
from daemon.domain.values import Owner
from streams.intake import FEEDS
from tests.support.client import Client
from tests.support.served import Served, trading

SOME_ID = "550e8400-e29b-41d4-a716-446655440000"
GUARDED = [route for route in ROUTES if route.scope is not None]


def path_of(route: Route) -> str:
    return route.path.replace("{id}", SOME_ID)


async def test_every_guarded_route_wants_a_key(served: Served) -> None:
    """Without a key, and with an unknown one, each route answers 401 before it looks at anything else."""
    nobody = await served.client()
    for route in GUARDED:
        for headers in ({}, {"X_API_Key": "tf_unknown"}, {"Authorization": "Bearer nonsense"}):
            answer = await nobody.send(route.method, path_of(route), **headers)
            assert (answer.status, answer.body["code"]) == (401, "UNAUTHORIZED"), (route.path, headers)
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


async def test_every_guarded_route_names_the_scope_that_lacks(served: Served) -> None:
    """A key without the route's scope gets 403 naming that scope; no scope but admin implies another."""
    scopes: tuple[Scope, ...] = ("read", "signals", "prices", "trade")
    clients: dict[Scope, Client] = {scope: await served.client(scope) for scope in scopes}
    for route in GUARDED:
        for scope, client in clients.items():
            if scope == route.scope:
                continue
            answer = await client.send(route.method, path_of(route))
            assert (answer.status, answer.body["code"]) == (403, "FORBIDDEN"), (route, scope)
            assert answer.body["scope"] == route.scope
            assert route.scope in answer.body["error"]


async def test_each_scope_opens_its_routes(served: Served) -> None:
    """With its scope, or admin, a key gets past the guard of each route."""
    clients: dict[Scope, Client] = {scope: await served.client(scope) for scope in keys.SCOPES}
    for route in GUARDED:
        assert route.scope is not None
        for scope in (route.scope, "admin"):
            answer = await clients[scope].send(route.method, path_of(route))
            assert answer.status not in {401, 403}, (route, answer)


async def test_writes_change_nothing_without_their_scope(served: Served, admin: Client) -> None:
    """A refused write leaves nothing on the tape."""
    reader = await served.client("read", "signals", "prices")
    before = served.daemon.standing.tapes[0].head
    assert (await reader.post("/agents", {"name": "a"})).status == 403
    assert served.daemon.standing.tapes[0].head == before
    assert (await admin.get("/agents")).body == []


async def test_a_key_comes_in_either_header(served: Served, admin: Client) -> None:
    """`X-API-Key` and `Authorization: Bearer` are the same; a foreign X-API-Key does not hide ours."""
    nobody = await served.client()
    bearer = {"Authorization": f"Bearer {admin.key}"}
    assert (await nobody.get("/agents", **bearer)).status == 200
    assert (await nobody.get("/agents", Authorization=f"bearer  {admin.key}")).status == 200
    assert (await nobody.get("/agents", X_API_Key="other_system", **bearer)).status == 200


async def test_health_and_metrics_need_no_key(served: Served) -> None:
    """Probes and Prometheus ask without a key, at the root and below the prefix."""
    nobody = await served.client()
    for path in ("/health", "/health/live", "/health/ready", "/metrics"):
        assert (await nobody.get(path)).status == 200
        assert (await nobody.get("/api/v1" + path)).status == 200


async def test_owners_see_and_move_nothing_of_each_other(served: Served, admin: Client) -> None:
    """Another owner's ids are 404 for reading and writing, and lists are empty."""
    mine = await trading(admin)
    signal_id = await mine.buy()
    position_id = (await admin.get("/agent-positions")).body[0]["id"]
    order_id = (await admin.get("/orders")).body[0]["id"]
    fill_id = (await admin.get("/agent-transactions?transactionType=SWAP")).body[0]["id"]
    balance_id = (await admin.get(f"/agent-balances?agentId={mine.agent_id}")).body[0]["id"]
    other = await served.client("admin", owner="other")
    agent = f"/agents/{mine.agent_id}"
    for path in (
        agent,
        f"{agent}/config",
        f"/trading-signals/{signal_id}",
        f"/trading-signals/{signal_id}/decisions",
        f"/orders/{order_id}",
        f"/agent-positions/{position_id}",
        f"/agent-transactions/{fill_id}",
        f"/agent-balances/{balance_id}",
        f"/agent-balances?agentId={mine.agent_id}",
        f"/agent-positions?agentId={mine.agent_id}",
        f"/orders?agentId={mine.agent_id}",
    ):
        answer = await other.get(path)
        assert answer.status == 404, (path, answer)
        assert answer.body["code"].endswith("_NOT_FOUND")
    for method, path, body in (
        ("PUT", agent, {"name": "x"}),
        ("PUT", f"{agent}/config", {}),
        ("POST", f"{agent}/deposits", {"amount": "1"}),
        ("POST", f"{agent}/release", None),
        ("POST", f"/agent-positions/{position_id}/close", None),
        ("DELETE", agent, None),
    ):
        answer = await other.send(method, path, body)
        assert answer.status == 404, (path, answer)
    targeted = {"tokenAddress": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "action": "buy", "score": 1}
    answer = await other.post("/trading-signals", {**targeted, "agentIds": [mine.agent_id]})
    assert (answer.status, answer.body["code"]) == (404, "AGENT_NOT_FOUND")
    for path in ("/agents", "/trading-signals", "/orders", "/agent-positions", "/agent-transactions"):
        assert (await other.get(path)).body == []


async def test_only_the_hash_of_a_key_is_stored(served: Served) -> None:
    """No column of the table holds a key's text, and its shown part is short."""
    pool = served.daemon.installation.database.pool
    made = await keys.create(pool, name="n", scopes=["read"], owner=Owner("o"))
    row = await pool.fetchrow("SELECT * FROM identity.api_keys WHERE id = $1", made.id)
    assert row is not None
    assert row["hash"] == keys.key_hash(made.text)
    assert made.text not in str(dict(row))
    assert len(row["prefix"]) == keys.SHOWN_CHARACTERS


async def test_a_revoked_key_is_refused_once_it_is_forgotten(served: Served) -> None:
    """Only found keys are remembered, and a ring that remembers none sees a revocation at once."""
    pool = served.daemon.installation.database.pool
    ring, fresh = KeyRing(pool), KeyRing(pool, seconds=0)
    assert await ring.find("tf_not_yet") is None
    made = await keys.create(pool, name="n", scopes=["read"])
    assert await ring.find(made.text) is not None
    await pool.execute("UPDATE identity.api_keys SET revoked_at = now() WHERE id = $1", made.id)
    assert await fresh.find(made.text) is None


async def test_only_a_valid_admin_key_counts_as_one(served: Served) -> None:
    """A start can see that no key opens everything: other scopes and revoked keys do not count."""
    pool = served.daemon.installation.database.pool
    await keys.create(pool, name="n", scopes=["read", "trade"])
    assert not await keys.has_admin(pool)
    made = await keys.create(pool, name="n", scopes=["admin"])
    assert await keys.has_admin(pool)
    assert await keys.revoke(pool, made.id)
    assert not await keys.has_admin(pool)
    assert not await keys.revoke(pool, made.id)


async def test_a_ring_that_hears_of_a_revocation_forgets(served: Served) -> None:
    """A remembered key is looked up again once the ring was told, however long it would remember."""
    pool = served.daemon.installation.database.pool
    ring = KeyRing(pool, seconds=1_000)
    made = await keys.create(pool, name="n", scopes=["read"])
    assert await ring.find(made.text) is not None
    await keys.revoke(pool, made.id)
    assert await ring.find(made.text) is not None
    ring.forget()
    assert await ring.find(made.text) is None


async def test_the_time_of_use_is_stored(served: Served) -> None:
    """A key that was never used says so; the first use is stored."""
    pool = served.daemon.installation.database.pool
    made = await keys.create(pool, name="n", scopes=["read"])
    (row,) = [each for each in await keys.list_all(pool) if each.id == made.id]
    assert row.last_used_at is None
    await KeyRing(pool).find(made.text)
    (row,) = [each for each in await keys.list_all(pool) if each.id == made.id]
    assert row.last_used_at is not None
    assert row.last_used_at >= row.created_at


@pytest.mark.parametrize(("name", "scopes"), [("", ["read"]), ("n", []), ("n", ["root"]), ("a\nb", ["read"])])
async def test_a_wrong_key_is_not_made(served: Served, name: str, scopes: list[Scope]) -> None:
    """A key needs a printable name and scopes that exist."""
    with pytest.raises(ValueError, match="must be"):
        await keys.create(served.daemon.installation.database.pool, name=name, scopes=scopes)


async def test_the_owner_of_our_feeds_gets_no_key(served: Served) -> None:
    """Nobody may write in the name of our own feeds, whose inputs are admitted by other rules."""
    with pytest.raises(ValueError, match="reserved"):
        await keys.create(served.daemon.installation.database.pool, name="n", scopes=["prices"], owner=FEEDS)
