"""Whether this process lives, whether it is ready for traffic, and why not."""

from __future__ import annotations

from typing import Literal

import msgspec

from api.ports import Status
from api.times import moment_text
from daemon import clock
from daemon.metrics import Metrics


class HaltAnswer(msgspec.Struct, frozen=True):
    """A stage that stands still until an operator acts: see `tapefold halted`."""

    stage: str
    tape: int
    offset: int
    error: str


class TapeAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """How far log, trader and read models are on one tape."""

    tape: int
    head: int
    reached: int
    projected: int
    trader_lag: int
    trader_lag_seconds: float
    projection_lag: int
    projection_lag_seconds: float
    trading: bool
    """Whether this process trades the tape."""
    projecting: bool
    """Whether this process keeps its read models."""


class HealthAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """All that is known of this process's health."""

    status: Literal["healthy", "degraded", "unhealthy"]
    ready: bool
    reasons: list[str]
    timestamp: str
    uptime: float
    database: Literal["up", "down"]
    rebuilding: bool
    halts: list[HaltAnswer]
    tapes: list[TapeAnswer]
    price_age_seconds: dict[str, float]


class ReadyAnswer(msgspec.Struct, frozen=True):
    """Whether traffic may come here, and why not."""

    ready: bool
    reasons: list[str]
    timestamp: str


class LiveAnswer(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool
    timestamp: str
    uptime: float


def reasons(status: Status) -> list[str]:
    """Why no traffic should come here; none: it is ready."""
    found = []
    if not status.is_database_up():
        found.append("the database does not answer")
    if status.is_rebuilding():
        found.append("the read models are being rebuilt")
    found += [
        f"the {halt.stage} of tape {halt.tape} halted at offset {halt.offset}: {halt.error}"
        for halt in status.halts()
    ]
    return found + list(status.unready())


def health(status: Status) -> HealthAnswer:
    """Everything; `unhealthy` is what does not mend by itself or keeps all from being served."""
    why = reasons(status)
    halts = status.halts()
    database_up = status.is_database_up()
    word: Literal["healthy", "degraded", "unhealthy"] = "healthy"
    if why:
        word = "unhealthy" if halts or not database_up else "degraded"
    return HealthAnswer(
        status=word,
        ready=not why,
        reasons=why,
        timestamp=moment_text(clock.now_ms()),
        uptime=round(status.uptime_seconds(), 3),
        database="up" if database_up else "down",
        rebuilding=status.is_rebuilding(),
        halts=[HaltAnswer(*halt) for halt in halts],
        tapes=[
            TapeAnswer(
                tape=each.tape,
                head=each.head,
                reached=each.reached,
                projected=each.projected,
                trader_lag=max(0, each.head - each.reached),
                trader_lag_seconds=round(each.trader_lag_seconds, 3),
                projection_lag=max(0, each.reached - each.projected),
                projection_lag_seconds=round(each.projection_lag_seconds, 3),
                trading=each.trading,
                projecting=each.projecting,
            )
            for each in status.tapes()
        ],
        price_age_seconds={source: round(age, 3) for source, age in status.price_ages().items()},
    )


def observe(metrics: Metrics, status: Status) -> None:
    """Set the gauges to what holds now."""
    now = health(status)
    metrics.database_up.set(now.database == "up")
    metrics.rebuilding.set(now.rebuilding)
    metrics.halts.clear()
    for halt in now.halts:
        metrics.halts.labels(halt.stage, halt.tape).set(1)
    metrics.price_age_seconds.clear()
    for source, age in now.price_age_seconds.items():
        metrics.price_age_seconds.labels(source).set(age)
    for each in now.tapes:
        metrics.log_head.labels(each.tape).set(each.head)
        metrics.log_reached.labels(each.tape).set(each.reached)
        metrics.projected.labels(each.tape).set(each.projected)
        metrics.trader_lag.labels(each.tape).set(each.trader_lag)
        metrics.trader_lag_seconds.labels(each.tape).set(each.trader_lag_seconds)
        metrics.projection_lag.labels(each.tape).set(each.projection_lag)
        metrics.projection_lag_seconds.labels(each.tape).set(each.projection_lag_seconds)
        metrics.trading.labels(each.tape).set(each.trading)
        metrics.projecting.labels(each.tape).set(each.projecting)
