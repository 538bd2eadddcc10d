"""One broker for a whole run of tests, however many processes it has: a broker for each would cost memory.

It lives in the process that the user started. The workers of pytest-xdist ask that one by a socket, and the
first to ask has it started: a run without tests of Kafka starts none.
"""

from __future__ import annotations

import json
import shutil
import socket
import socketserver
import tempfile
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Protocol

from tests.support.kafka.archive import prepare
from tests.support.kafka.java import KafkaMissingError
from tests.support.kafka.server import Broker, BrokerFailedError, Endpoint


class Source(Protocol):
    """Where a process gets the broker of the run."""

    def endpoint(self) -> Endpoint:
        """The running broker. Raises KafkaMissingError or BrokerFailedError."""

    def close(self) -> None:
        """Give up what this process holds."""


class Hosted:
    """The broker of the run, in the process that the user started."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._broker: Broker | None = None
        self._server: _Server | None = None

    def endpoint(self) -> Endpoint:
        """The running broker, started by whoever asks first. It is not started a second time."""
        with self._lock:
            if self._broker is None:
                kit = prepare()
                self._broker = Broker(kit, self._made_folder() / "broker")
                self._broker.start()
                self._broker.wait_ready()
            if not self._broker.running:
                raise BrokerFailedError("the broker that all tests share has ended: was it killed by a test?")
            return self._broker.endpoint

    def listen(self) -> str:
        """Answer the workers from now on; the socket's path."""
        path = self._made_folder() / "socket"
        if self._server is None:
            self._server = _Server(str(path), self)
            threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True).start()
        return str(path)

    def close(self) -> None:
        """End the broker and leave nothing behind."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        if self._broker is not None:
            self._broker.kill()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _made_folder(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="tapefold-kafka-"))
        return self._folder


class Asked:
    """The broker of the run, for a worker of pytest-xdist."""

    def __init__(self, path: str) -> None:
        self._path = path

    def endpoint(self) -> Endpoint:
        """The running broker, as told by the process that hosts it."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(self._path)
            with connection.makefile("rb") as answer:
                told = json.loads(answer.read())
        if "missing" in told:
            raise KafkaMissingError(told["missing"])
        if "failed" in told:
            raise BrokerFailedError(told["failed"])
        return Endpoint(told["port"], Path(told["log"]))

    def close(self) -> None:
        """Nothing is held."""


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, hosted: Hosted) -> None:
        self.hosted = hosted
        super().__init__(path, _Answer)


class _Answer(socketserver.StreamRequestHandler):
    server: _Server

    def handle(self) -> None:
        try:
            told = asdict(self.server.hosted.endpoint())
        except KafkaMissingError as error:
            told = {"missing": str(error)}
        except Exception as error:  # noqa: BLE001 - whatever it is belongs to the test that asked
            told = {"failed": f"{type(error).__name__}: {error}"}
        self.wfile.write(json.dumps(told, default=str).encode())
