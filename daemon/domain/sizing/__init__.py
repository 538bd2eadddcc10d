"""Ways of sizing an entry, one a file, by `sizing.mode`: lamports to spend, fees included."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from daemon.domain.sizing.fixed import fixed
from daemon.domain.sizing.percent import percent
from daemon.domain.state import AgentState

SIZING: Final[dict[str, Callable[[AgentState], int]]] = {
    "fixed": fixed,
    "percent": percent,
}
