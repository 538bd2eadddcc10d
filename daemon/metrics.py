"""Every metric, declared once. Whoever counts is given the `Metrics` of its process.

Labels hold no ids: agents, mints and owners are many, and a label's values are kept for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
NAMESPACE: Final = "tapefold"

REQUEST_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
STAGE_SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0)


CounterName = Literal[
    "decisions", "fills", "orders_ended", "commands_denied", "prices_refused", "quarantines", "clock_steps"
]
"""The counters of what entries hold."""


class _Registry(CollectorRegistry):
    """Leaves out when each series was made: as many lines again, which nobody asks for.

    prometheus_client's own switch for that holds for the whole interpreter.
    """

    def collect(self) -> Iterable[Metric]:
        for metric in super().collect():
            metric.samples = [each for each in metric.samples if not each.name.endswith("_created")]
            yield metric


class Metrics:
    """All metrics of one process, in a registry of its own."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else _Registry(auto_describe=True)
        self._declare_intake()
        self._declare_trading()
        self._declare_health()
        self._declare_edges()

    def _declare_intake(self) -> None:
        self.intake_inputs = self._counter(
            "intake_inputs", "Inputs appended to a tape, by command.", "command"
        )
        self.intake_refused = self._counter(
            "intake_refused", "Writes refused for overload or for want of the log, by code.", "code"
        )
        self.intake_append_seconds = self._histogram(
            "intake_append_seconds", "From an input's arrival at intake until it is durable.", STAGE_SECONDS
        )
        self.request_seconds = self._histogram(
            "api_request_seconds",
            "Time to answer a request, by method, route template and status.",
            REQUEST_SECONDS,
            "method",
            "route",
            "status",
        )

    def _declare_trading(self) -> None:
        self.decisions = self._counter(
            "decisions", "Agents' decisions on signals: `approved`, or the rule that denied.", "outcome"
        )
        self.commands_denied = self._counter(
            "commands_denied", "Commands the trader denied, by code.", "code"
        )
        self.fills = self._counter("fills", "Executed orders, by side and purpose.", "side", "purpose")
        self.orders_ended = self._counter(
            "orders_ended", "Orders that ended without a fill: rejected, expired or canceled.", "how"
        )
        self.prices_refused = self._counter(
            "prices_refused", "Readings kept from trading, by reason.", "reason"
        )
        self.quarantines = self._counter(
            "quarantines", "Quarantines begun, of an `agent` or of a position's `exits`.", "what"
        )
        self.clock_steps = self._counter("clock_steps", "Times the log's clock was seen to step back.")
        self.commit_seconds = self._histogram(
            "trader_commit_seconds", "Time to commit one batch of entries.", STAGE_SECONDS
        )

    def _declare_health(self) -> None:
        self.log_head = self._gauge("log_head_offset", "Offset of the last input on the tape.", "tape")
        self.log_reached = self._gauge("log_reached_offset", "Tape offset up to which is decided.", "tape")
        self.trader_lag = self._gauge("trader_lag_inputs", "Inputs that wait for the trader.", "tape")
        self.trader_lag_seconds = self._gauge(
            "trader_lag_seconds", "Age of the oldest input that waits for the trader.", "tape"
        )
        self.projected = self._gauge(
            "projected_offset", "Tape offset up to which the read models hold everything.", "tape"
        )
        self.projection_lag = self._gauge(
            "projection_lag_inputs", "Decided inputs that the read models do not hold yet.", "tape"
        )
        self.projection_lag_seconds = self._gauge(
            "projection_lag_seconds", "Age of the oldest decided input that is not projected.", "tape"
        )
        self.snapshot_offset = self._gauge(
            "snapshot_offset", "Tape offset of the newest snapshot of the trader's state.", "tape"
        )
        self.snapshot_age_seconds = self._gauge(
            "snapshot_age_seconds", "Age of the newest snapshot of the trader's state.", "tape"
        )
        self.snapshot_bytes = self._gauge("snapshot_bytes", "Size of the newest snapshot.", "tape")
        self.snapshot_seconds = self._gauge(
            "snapshot_seconds", "How long the newest snapshot took to write.", "tape"
        )
        self.snapshot_failures = self._counter(
            "snapshot_failures", "Snapshots that could not be written: the next one is tried in time."
        )
        self.price_age_seconds = self._gauge(
            "price_age_seconds", "Age of the newest accepted reading, by source.", "source"
        )
        self.trading = self._gauge("trading", "Whether this process holds the tape and trades it.", "tape")
        self.projecting = self._gauge(
            "projecting", "Whether this process keeps the tape's read models.", "tape"
        )
        self.halts = self._gauge("halts", "Stages that stand still and need an operator.", "stage", "tape")
        self.database_up = self._gauge("database_up", "1 while the database answers.")
        self.rebuilding = self._gauge("rebuilding", "1 while the read models are being rebuilt.")

    def _declare_edges(self) -> None:
        self.outside_position = self._gauge(
            "outside_position_offset", "Last offset of an outside partition that was dealt with.", "partition"
        )
        self.outside_rejected = self._counter(
            "outside_rejected", "Records from outside that were no valid signal, by code.", "code"
        )
        self.outside_gaps = self._counter(
            "outside_gaps", "Gaps in the offsets of an outside partition, each found to hold no record."
        )
        self.published = self._counter("published", "Records published, by what they tell of.", "what")
        self.published_position = self._gauge(
            "published_position_offset", "Journal offset up to which is published.", "tape"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace=NAMESPACE, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, namespace=NAMESPACE, registry=self.registry)

    def _histogram(self, name: str, text: str, seconds: Sequence[float], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=seconds, namespace=NAMESPACE, registry=self.registry)

    def add(self, name: CounterName, labels: Sequence[str], number: int) -> None:
        """Raise a counter by `number`."""
        counter: Counter = getattr(self, name)
        (counter.labels(*labels) if labels else counter).inc(number)

    def render(self) -> bytes:
        """All metrics as Prometheus reads them."""
        return generate_latest(self.registry)
