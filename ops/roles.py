"""What one process does of all that a running Tapefold does."""

from __future__ import annotations

from typing import Final, NamedTuple


class Role(NamedTuple):
    """Which parts run in a process. Each of them runs in any number of processes."""

    name: str
    trades: bool = False
    projects: bool = False
    serves: bool = False
    """Whether it answers the API, or only tells of its health."""
    shares: bool = False
    """Whether it leaves others of its kind their part of the tapes."""

    takes_in: bool = False
    """Whether it takes signals from the topic outside."""
    publishes: bool = False

    @property
    def is_edge(self) -> bool:
        """Whether its work is between the log on Kafka and topics of others."""
        return self.takes_in or self.publishes

    @property
    def is_alone(self) -> bool:
        """Whether it brings its own database along and does everything."""
        return self.trades and self.projects and self.serves


UP: Final = Role("up", trades=True, projects=True, serves=True)
WORKER: Final = Role("worker", trades=True, projects=True, shares=True)
PROJECTOR: Final = Role("projector", projects=True)
API: Final = Role("api", serves=True)
INTAKE: Final = Role("intake", takes_in=True)
PUBLISHER: Final = Role("publisher", publishes=True)
