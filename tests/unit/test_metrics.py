"""Metrics are declared once and belong to a process, not to the interpreter."""

from __future__ import annotations

import ast
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from daemon import metrics
from daemon.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]


def test_two_processes_worth_of_metrics_live_side_by_side() -> None:
    """Each `Metrics` counts for itself: nothing is registered at import."""
    one, other = Metrics(), Metrics()
    one.fills.labels("buy", "entry").inc()
    assert b'tapefold_fills_total{purpose="entry",side="buy"} 1.0' in one.render()
    assert b"tapefold_fills_total{" not in other.render()


def test_no_series_says_when_it_was_made() -> None:
    """Half of the lines would say what nobody asks for; other registries of this process keep theirs."""
    made, other = Metrics(), Metrics(CollectorRegistry())
    for each in (made, other):
        each.fills.labels("buy", "entry").inc()
    assert b"_created" not in made.render()
    assert b"tapefold_fills_created{" in other.render()


def test_every_metric_says_what_it_measures() -> None:
    """Each metric has a help text that is a sentence, and our namespace."""
    found = [each for each in vars(Metrics()).values() if isinstance(each, (Counter, Gauge, Histogram))]
    assert len(found) > 15
    for each in found:
        assert each._documentation.endswith(".")
        assert each._name.startswith(f"{metrics.NAMESPACE}_")


def test_metrics_are_declared_nowhere_else() -> None:
    """No other module of the product makes a metric."""
    for folder in ("daemon", "streams", "projections", "api", "ops"):
        for path in (ROOT / folder).rglob("*.py"):
            if path == ROOT / "daemon" / "metrics.py":
                continue
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ImportFrom) and node.module == "prometheus_client":
                    assert {alias.name for alias in node.names} <= {"Histogram", "CollectorRegistry"}, path
