"""What is answered when a part below the API fails, stands still or is behind."""

from __future__ import annotations

import asyncpg
import pytest

from api.ports import Halt, TapeHealth
from streams.intake import IntakeUnavailable, Overloaded
from tests.support.client import Client
from tests.unit.api.stubs import Stubs

MINT = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SIGNAL = {"tokenAddress": MINT, "action": "buy", "score": 4}
HALT = Halt("trader", 0, 17, "BrokenInvariant: no")
DAY = 24 * 3600.0


async def test_overload_is_429(client: Client, stubs: Stubs) -> None:
    """Overload slows intake: 429 with Retry-After, and nothing is appended."""
    stubs.intake.error = Overloaded("1000 requests wait for append", 3)
    answer = await client.post("/trading-signals", SIGNAL)
    assert (answer.status, answer.body["code"]) == (429, "OVERLOADED")
    assert answer.headers["Retry-After"] == "3"


async def test_a_log_that_is_gone_is_503(client: Client, stubs: Stubs) -> None:
    """While the log cannot be written, a write may be sent again."""
    stubs.intake.error = IntakeUnavailable("shutting down")
    answer = await client.post("/trading-signals", SIGNAL)
    assert (answer.status, answer.body["code"]) == (503, "LOG_UNAVAILABLE")
    assert answer.headers["Retry-After"] == "1"


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.CannotConnectNowError("starting"),
        asyncpg.InterfaceError("x"),
    ],
)
async def test_a_database_that_is_gone_is_503(client: Client, stubs: Stubs, error: Exception) -> None:
    """A database that does not answer passes by itself: never a 500."""
    stubs.reader.error = error
    answer = await client.get("/agents")
    assert (answer.status, answer.body["code"]) == (503, "DATABASE_UNAVAILABLE")
    stubs.keys.error = error
    assert (await client.get("/agents")).status == 503


async def test_a_bug_is_500_with_a_number(client: Client, stubs: Stubs) -> None:
    """What nobody foresaw is answered with the id it is logged under, and with nothing of its insides."""
    stubs.reader.error = RuntimeError("password=hunter2")
    answer = await client.get("/agents")
    assert (answer.status, answer.body["code"]) == (500, "INTERNAL")
    assert answer.body["requestId"] in answer.body["error"]
    assert "hunter2" not in str(answer.body)


async def test_a_write_that_is_not_projected_in_time_is_202(client: Client, stubs: Stubs) -> None:
    """After the wait the answer names the id and where it stands: it is durable."""
    answer = await client.post("/trading-signals", SIGNAL)
    assert answer.status == 202
    assert answer.body == {
        "id": stubs.intake.taken[0].id,
        "status": "recorded",
        "recorded": [{"tape": 0, "offset": 0}],
    }
    assert stubs.progress.waited == [(0, 0, 2.0)]


async def test_respond_async_waits_for_nothing(client: Client, stubs: Stubs) -> None:
    """`Prefer: respond-async`, among other preferences, gets 202 once the write is durable."""
    answer = await client.post("/trading-signals", SIGNAL, Prefer="handling=lenient, Respond-Async; x=1")
    assert answer.status == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    assert stubs.progress.waited == []


async def test_a_halted_tape_answers_at_once(client: Client, stubs: Stubs) -> None:
    """On a halted tape a write is durable, gets 202 with HALTED, and waits for nothing."""
    stubs.status.halted = [HALT]
    answer = await client.post("/trading-signals", SIGNAL)
    assert (answer.status, answer.body["code"]) == (202, "HALTED")
    assert stubs.progress.waited == []
    prices = {"prices": [{"tokenAddress": MINT, "priceSol": "1", "source": "s"}]}
    assert (await client.post("/prices", prices)).body["code"] == "HALTED"


LAGS = ((0.0, DAY / 2 + 1), (DAY / 2 + 1, 0.0))


@pytest.mark.parametrize(
    "health", [TapeHealth(0, 9, 8, 7, *lags, trading=True, projecting=True) for lags in LAGS]
)
async def test_keyed_writes_wait_for_read_models_that_are_far_behind(
    client: Client, stubs: Stubs, health: TapeHealth
) -> None:
    """More than 12 h behind, a key cannot be checked and is refused; a write without one is taken."""
    stubs.status.health = health
    answer = await client.post("/trading-signals", SIGNAL, key="k")
    assert (answer.status, answer.body["code"]) == (503, "PROJECTION_BEHIND")
    assert stubs.intake.taken == []
    assert (await client.post("/trading-signals", SIGNAL)).status == 202


async def test_a_rebuild_refuses_reads_and_keyed_writes(client: Client, stubs: Stubs) -> None:
    """Half a read model is never served, and no key is checked against it."""
    stubs.status.rebuilding = True
    answer = await client.get("/agents")
    assert (answer.status, answer.body["code"]) == (503, "REBUILDING")
    assert (await client.post("/trading-signals", SIGNAL, key="k")).body["code"] == "PROJECTION_BEHIND"
    assert (await client.post("/trading-signals", SIGNAL)).status == 202


async def test_the_input_holds_who_asked_and_what(client: Client, stubs: Stubs) -> None:
    """An input carries its actor, its route and the hash of its body; the same key gives the same id."""
    for body in (SIGNAL, {**SIGNAL, "score": 5}):
        await client.post("/trading-signals", body, key="k")
    await client.post("/trading-signals", SIGNAL, X_Idempotency_Key="k")
    await client.post("/trading-signals", SIGNAL)
    first, second, third, fourth = stubs.intake.taken
    assert (first.actor.owner, first.actor.key) == ("operator", "key-1")
    assert (first.route, first.keyed) == ("POST /api/v1/trading-signals", True)
    assert first.id == second.id == third.id
    assert first.hash == third.hash != second.hash
    assert (fourth.id != first.id, fourth.keyed, fourth.hash) == (True, False, first.hash)


async def test_a_key_counts_per_path(client: Client, stubs: Stubs) -> None:
    """The same key on another resource is another input; the case of an id in the path is not."""
    for agent in ("550e8400-e29b-41d4-a716-446655440000", "650e8400-e29b-41d4-a716-446655440000"):
        for path in (agent, agent.upper()):
            await client.post(f"/agents/{path}/deposits", {"amount": "1"}, key="k")
    a, b, c, d = stubs.intake.taken
    assert a.id == b.id != c.id == d.id


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x80b"])
async def test_a_wrong_idempotency_key_is_refused(client: Client, stubs: Stubs, key: str) -> None:
    """A key is 1 to 200 printable characters."""
    answer = await client.post("/trading-signals", SIGNAL, Idempotency_Key=key)
    assert (answer.status, answer.body["code"]) == (400, "INVALID_IDEMPOTENCY_KEY")
    assert stubs.intake.taken == []


async def test_two_different_keys_are_refused(client: Client) -> None:
    """Both headers may be given if they agree."""
    both = {"Idempotency_Key": "a", "X_Idempotency_Key": "a"}
    assert (await client.post("/trading-signals", SIGNAL, **both)).status == 202
    both["X_Idempotency_Key"] = "b"
    assert (await client.post("/trading-signals", SIGNAL, **both)).body["code"] == "INVALID_IDEMPOTENCY_KEY"
