"""Free ports that stay ours while a broker is down."""

from __future__ import annotations

import itertools
import os
import socket

HOST = "127.0.0.1"
# Below what systems give to outgoing connections: there, a client that tries again and again while its broker
# is down would sooner or later get that port for its own end, connect to itself and keep the broker out.
PORT_MIN, PORT_MAX = 20_000, 32_000
PORTS_PER_PROCESS = 24

_numbers = itertools.count()


def free_port() -> int:
    """A port that nobody listens on, never the same twice in a process, elsewhere in each process."""
    for _ in range(PORT_MIN, PORT_MAX):
        port = PORT_MIN + (os.getpid() * PORTS_PER_PROCESS + next(_numbers)) % (PORT_MAX - PORT_MIN)
        if is_free(port):
            return port
    raise OSError(f"no free port from {PORT_MIN} to {PORT_MAX}")


def is_free(port: int) -> bool:
    """Whether somebody could listen there now."""
    with socket.socket() as probe:
        # As servers do: connections that still fade away after a kill are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
