"""Where a log on Kafka is: the form of its URL. Known without importing a client."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

SCHEME: Final = "kafka://"
DEFAULT_PREFIX: Final = "tapefold"
DEFAULT_PORT: Final = 9092

_PLACE: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>[0-9]{1,5}))?")
_PREFIX: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_PORT_MAX: Final = 65_535


class Brokers(NamedTuple):
    """Where the brokers are, and how our topics and transactions there begin."""

    servers: tuple[str, ...]
    prefix: str

    @property
    def tape(self) -> str:
        """The topic of the inputs."""
        return f"{self.prefix}.tape"

    @property
    def journal(self) -> str:
        """The topic of the entries."""
        return f"{self.prefix}.journal"

    @property
    def url(self) -> str:
        """As it is written in a setting."""
        return f"{SCHEME}{','.join(self.servers)}/{self.prefix}"


def parse_url(url: str) -> Brokers:
    """The brokers of `kafka://host:port[,host:port…][/prefix]`.

    Raises `ValueError` with what would be right.
    """
    places, _, prefix = url.removeprefix(SCHEME).partition("/")
    if not url.startswith(SCHEME) or not places:
        raise ValueError("must be embedded or kafka://host:port[,host:port…][/prefix]")
    servers = []
    for place in places.split(","):
        found = _PLACE.fullmatch(place)
        if found is None or not 1 <= int(found["port"] or DEFAULT_PORT) <= _PORT_MAX:
            raise ValueError(f"needs host:port with a port from 1 to {_PORT_MAX}, several parted by commas")
        servers.append(place if found["port"] else f"{place}:{DEFAULT_PORT}")
    if prefix and not _PREFIX.fullmatch(prefix):
        raise ValueError("needs a prefix of letters, digits, _ and - after the /, at most 64 of them")
    return Brokers(tuple(servers), prefix or DEFAULT_PREFIX)
