"""The kill suite in its short form; `make kill KILLS=100` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kill.careless import FAULTS
from tests.kill.embedded import EmbeddedRun
from tests.kill.run import Plan, describe

KILLS = 6
CONTROL_KILLS_MAX = 15
SECONDS_BETWEEN = (0.2, 0.8)
SEED = os.environ.get("TAPEFOLD_TEST_KILL_SEED", "short")


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_what_is_acknowledged_survives_kills(tmp_path: Path) -> None:
    """Through kill -9 of daemon and Postgres, all that was acknowledged has its effect exactly once."""
    plan = Plan(SEED, KILLS, tmp_path / "run", SECONDS_BETWEEN, first_kills=1)
    run = EmbeddedRun(plan)
    result = await run.run()
    assert not result.wrong, describe(result, plan.folder)
    assert result.kills >= KILLS
    assert result.acknowledged["signal"] > 0
    assert result.fills > 0
    run.remove()


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_broken_promise_is_found(tmp_path: Path, fault: str) -> None:
    """A daemon that breaks one rule fails the suite, for that reason: so its silence means something."""
    launcher = ("tests.kill.careless", fault)
    run = EmbeddedRun(
        Plan(f"{SEED}-{fault}", CONTROL_KILLS_MAX, tmp_path / "run", SECONDS_BETWEEN, launcher, 0)
    )
    result = await run.run()
    assert any(FAULTS[fault].shows_as in each for each in result.wrong), result.wrong
    run.remove()
