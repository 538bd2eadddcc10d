"""Counts what entries hold, and says what an operator must know: the one place that does."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

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

_log = structlog.get_logger("trader")


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
                _log.error("agent quarantined", agent=event.agent_id, input=event.input_id, error=event.error)
            case ExitsQuarantined():
                metrics.quarantines.labels("exits").inc()
                _log.error("exits quarantined", position=event.position_id, error=event.error)
            case ClockSteppedBack():
                metrics.clock_steps.inc()
                _log.error("the log's clock stepped back", from_at=event.from_at, to_at=event.to_at)
            case _:
                pass
