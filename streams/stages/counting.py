"""Counts what entries hold, and says what an operator must know: the one place that does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

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
from daemon.metrics import CounterName, Metrics
from streams.stages.breath import Breath

COUNT_AT_ONCE: Final = 1_000
"""Events counted between two looks at the clock."""

_log = structlog.get_logger("trader")


_Key = tuple[CounterName, tuple[str, ...]]


async def count_in_breaths(metrics: Metrics, events: Sequence[AnyEvent], breath: Breath) -> None:
    """`count`, and others run meanwhile."""
    breath.begin()
    for start in range(0, len(events), COUNT_AT_ONCE):
        count(metrics, events[start : start + COUNT_AT_ONCE])
        if breath.is_due():
            await breath.take()


def count(metrics: Metrics, events: Iterable[AnyEvent]) -> None:
    """Count the events of entries that are committed: once per metric and labels, however many there are."""
    counts: dict[_Key, int] = {}
    for event in events:
        key = _key(event)
        if key is not None:
            counts[key] = counts.get(key, 0) + 1
    for (name, labels), number in counts.items():
        metrics.add(name, labels, number)


def _key(event: AnyEvent) -> _Key | None:
    match event:
        case OrderFilled():
            return "fills", (event.side, event.purpose)
        case OrderApproved():
            return ("decisions", ("approved",)) if event.purpose == "entry" else None
        case SignalDenied():
            return "decisions", (event.rule,)
        case OrderRejected():
            return "orders_ended", ("rejected",)
        case OrderExpired():
            return "orders_ended", ("expired",)
        case OrderCanceled():
            return "orders_ended", ("canceled",)
        case CommandDenied():
            return "commands_denied", (event.code,)
        case PriceRefused():
            _log.warning(
                "price refused", mint=event.mint, source=event.source, reason=event.reason, value=event.value
            )
            return "prices_refused", (event.reason,)
        case AgentQuarantined():
            _log.error("agent quarantined", agent=event.agent_id, input=event.input_id, error=event.error)
            return "quarantines", ("agent",)
        case ExitsQuarantined():
            _log.error("exits quarantined", position=event.position_id, error=event.error)
            return "quarantines", ("exits",)
        case ClockSteppedBack():
            _log.error("the log's clock stepped back", from_at=event.from_at, to_at=event.to_at)
            return "clock_steps", ()
        case _:
            return None
