"""The kill suite on Kafka in its short form; `make kill-kafka KILLS=500` is the long one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.kill.kafka.careless import FAULTS
from tests.kill.kafka.moves import SHORT
from tests.kill.kafka.run import KafkaRun
from tests.kill.run import Plan, describe
from tests.support.kafka.kit import Kit

KILLS = 4
CONTROL_KILLS_MAX = 5
SECONDS_BETWEEN = (0.2, 0.8)
SURE = ("no-fence",)
"""The controls that show at once; the others belong to the long form."""
SEED = os.environ.get("TAPEFOLD_TEST_KILL_SEED", "short")


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_what_is_acknowledged_survives_faults_of_a_cluster(tmp_path: Path, kafka_kit: Kit) -> None:
    """Through dead and standing processes and brokers, what was acknowledged has its effect exactly once."""
    plan = Plan(SEED, KILLS, tmp_path / "run", SECONDS_BETWEEN)
    run = KafkaRun(plan, kafka_kit, SHORT)
    result = await run.run()
    assert not result.wrong, describe(result, plan.folder)
    assert result.kills >= KILLS
    assert result.acknowledged["signal"] > 0
    assert result.fills > 0
    assert all(audit.decisions for audit in run.audits), "a tape had nothing to decide"
    run.remove()


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize("fault", SURE)
async def test_a_missing_check_is_found(tmp_path: Path, kafka_kit: Kit, fault: str) -> None:
    """Workers without the checks of a commit break the journal, and the suite says how."""
    launcher = ("tests.kill.kafka.careless", fault)
    plan = Plan(f"{SEED}-{fault}", CONTROL_KILLS_MAX, tmp_path / "run", SECONDS_BETWEEN, launcher)
    run = KafkaRun(plan, kafka_kit, FAULTS[fault].moves, hold_epochs=False)
    result = await run.run()
    assert any(FAULTS[fault].shows_as in each for each in result.wrong), result.wrong
    run.remove()
