"""Counts what entries hold: the one place that turns events into metrics."""

from __future__ import annotations

from collections.abc import Iterable

from daemon.domain.events import (
    AgentQuarantined,
    AnyEvent,
    ClockSteppedBack,
    CommandDenied,
    ExitsQuarantined,
    OrderApproved,
    OrderCanceled,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    PriceRefused,
    SignalDenied,
)
from daemon.metrics import Metrics


def count(metrics: Metrics, events: Iterable[AnyEvent]) -> None:
    """Count the events of entries that are committed."""
    for event in events:
        match event:
            case OrderApproved(purpose="entry"):
                metrics.decisions.labels("approved").inc()
            case SignalDenied():
                metrics.decisions.labels(event.rule).inc()
            case OrderFilled():
                metrics.fills.labels(event.side, event.purpose).inc()
            case OrderRejected():
                metrics.orders_ended.labels("rejected").inc()
            case OrderExpired():
                metrics.orders_ended.labels("expired").inc()
            case OrderCanceled():
                metrics.orders_ended.labels("canceled").inc()
            case CommandDenied():
                metrics.commands_denied.labels(event.code).inc()
            case PriceRefused():
                metrics.prices_refused.labels(event.reason).inc()
            case AgentQuarantined():
                metrics.quarantines.labels("agent").inc()
            case ExitsQuarantined():
                metrics.quarantines.labels("exits").inc()
            case ClockSteppedBack():
                metrics.clock_steps.inc()
            case _:
                pass
