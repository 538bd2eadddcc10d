"""The address that the daemon listens on."""

from __future__ import annotations

import errno
import socket
from typing import Final

from ops.errors import StartError

BACKLOG: Final = 512

_OTHER_PORT: Final = 'give another with --port or TAPEFOLD_PORT (make up UP_ARGS="--port 4001")'
_OTHER_HOST: Final = (
    "give an address of this machine with --host or TAPEFOLD_HOST, such as 127.0.0.1 or 0.0.0.0"
)


def listen(host: str, port: int) -> socket.socket:
    """Take the port before anything is started: one in use costs nothing but a line."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError) as error:
        said = error.strerror if isinstance(error, socket.gaierror) else "this is no host name"
        raise StartError(f"cannot listen on {host!r}: {said}; {_OTHER_HOST}") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise StartError(f"cannot listen on {host}:{port}: {_fault(error)}") from error
    return listener


def url_of(listener: socket.socket) -> str:
    """The URL at which a listener is reached."""
    host, port = listener.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _fault(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return f"the port is in use; stop what uses it, or {_OTHER_PORT}"
        case errno.EACCES | errno.EPERM:
            return f"this user may not use the port; {_OTHER_PORT}"
        case _:
            return f"{error.strerror}; {_OTHER_HOST}"
