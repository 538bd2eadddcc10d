"""Health, readiness and metrics."""

from __future__ import annotations

from api.ports import Halt
from tests.support.client import Client
from tests.unit.api.stubs import Stubs


async def test_all_is_well(client: Client) -> None:
    """A healthy process says so with its figures, and is ready and alive."""
    health = await client.get("/health")
    assert (health.status, health.body["status"], health.body["ready"]) == (200, "healthy", True)
    assert health.body["tapes"] == [
        {
            "tape": 0,
            "head": 10,
            "reached": 8,
            "projected": 7,
            "traderLag": 2,
            "traderLagSeconds": 1.5,
            "projectionLag": 1,
            "projectionLagSeconds": 2.5,
            "trading": True,
            "projecting": True,
        }
    ]
    assert (await client.get("/health/ready")).status == 200
    live = await client.get("/health/live")
    assert (live.status, live.body["alive"], live.body["uptime"]) == (200, True, 12.5)


async def test_a_halt_turns_health_unready_and_is_named(client: Client, stubs: Stubs) -> None:
    """A halted stage makes health 503, with stage, tape, offset and error; the process stays alive."""
    stubs.status.halted = [Halt("trader", 0, 17, "BrokenInvariant: no")]
    for path in ("/health", "/health/ready"):
        answer = await client.get(path)
        assert answer.status == 503
        assert "trader of tape 0 halted at offset 17: BrokenInvariant: no" in answer.body["reasons"][0]
    assert (await client.get("/health")).body["halts"] == [
        {"stage": "trader", "tape": 0, "offset": 17, "error": "BrokenInvariant: no"}
    ]
    assert (await client.get("/health/live")).status == 200


async def test_a_database_that_is_gone_turns_health_unhealthy(client: Client, stubs: Stubs) -> None:
    """Without its database the process is alive, unhealthy and unready."""
    stubs.status.database_up = False
    health = await client.get("/health")
    assert (health.status, health.body["status"], health.body["database"]) == (503, "unhealthy", "down")
    assert (await client.get("/health/ready")).status == 503


async def test_a_rebuild_or_a_start_is_unready_but_mends_itself(client: Client, stubs: Stubs) -> None:
    """What passes by itself is degraded, not unhealthy, and takes no traffic."""
    stubs.status.rebuilding = True
    stubs.status.reasons = ["starting"]
    health = await client.get("/health")
    assert (health.status, health.body["status"]) == (200, "degraded")
    ready = await client.get("/health/ready")
    assert (ready.status, ready.body["reasons"]) == (503, ["the read models are being rebuilt", "starting"])


async def test_metrics_show_what_health_knows(client: Client, stubs: Stubs) -> None:
    """Prometheus reads log head, lags, price age and halts; what has passed is gone."""
    stubs.status.halted = [Halt("projector", 0, 3, "x")]
    answer = await client.get("/metrics")
    text = answer.body.decode()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    for line in (
        'tapefold_log_head_offset{tape="0"} 10.0',
        'tapefold_log_reached_offset{tape="0"} 8.0',
        'tapefold_trader_lag_inputs{tape="0"} 2.0',
        'tapefold_projection_lag_seconds{tape="0"} 2.5',
        'tapefold_price_age_seconds{source="feed"} 3.0',
        'tapefold_halts{stage="projector",tape="0"} 1.0',
        "tapefold_database_up 1.0",
    ):
        assert line in text
    stubs.status.halted, stubs.status.ages = [], {}
    text = (await client.get("/metrics")).body.decode()
    assert "tapefold_halts{" not in text
    assert "tapefold_price_age_seconds{" not in text


async def test_requests_are_measured_by_route_template(client: Client) -> None:
    """Ids in paths and unknown paths make no new label."""
    await client.get("/orders/550e8400-e29b-41d4-a716-446655440000")
    await client.get("/nowhere/1")
    await client.get("/nowhere/2")
    text = (await client.get("/metrics")).body.decode()
    assert 'method="GET",route="/api/v1/orders/{id}",status="4xx"} 1.0' in text
    assert 'route="unknown",status="4xx"} 2.0' in text
    assert "nowhere" not in text
