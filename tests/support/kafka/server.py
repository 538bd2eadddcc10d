"""One broker that can be started, killed, paused and started again on the same ports and data."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from tests.support.kafka.kit import Kit, write_properties
from tests.support.kafka.ports import HOST, free_port

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
ANSWER_SECONDS_MAX = 2.0
POLL_SECONDS = 0.02

# The shell becomes Java and leaves a guard behind, which reads from a pipe that only our process holds. When
# that ends, in whatever way, so does the pipe, and the guard kills Java. A line tells the guard that Java has
# gone already: its pid means nothing any more.
GUARDED = """
exec 3<&0 </dev/null
{ read -r _ <&3 || kill -9 $$; } &
exec "$@" 3<&-
"""

SETTINGS: Mapping[str, object] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    # Its own topics have one replica, for there is one broker, and one partition each.
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 1,
    # Topics are made by us, with settings that are checked.
    "auto.create.topics.enable": "false",
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,
    # A broker that was killed may come back only after its old session has ended: else 9 s. The heartbeat is
    # also the time after which it asks again.
    "broker.session.timeout.ms": 1_000,
    "broker.heartbeat.interval.ms": 250,
    "controller.quorum.election.timeout.ms": 300,
    "controller.quorum.election.backoff.max.ms": 300,
    "controller.quorum.fetch.timeout.ms": 2_000,
    # Transactions that timed out are looked for every second: else every ten.
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 1_000,
    "log.segment.delete.delay.ms": 1_000,
    "num.network.threads": 2,
    "num.io.threads": 2,
    "background.threads": 2,
    # Kafka fills 128 MiB with zeros for compaction; a few thousand keys need little.
    "log.cleaner.dedupe.buffer.size": 4 * 1024 * 1024,
}


class BrokerFailedError(Exception):
    """A broker ended while it started, or does not answer; the message names its log."""


@dataclass(frozen=True)
class Endpoint:
    """Where a broker can be reached."""

    port: int
    log: Path

    @property
    def bootstrap(self) -> str:
        """As Kafka's clients want it: host and port."""
        return f"{HOST}:{self.port}"

    @property
    def url(self) -> str:
        """As Tapefold wants it: `kafka://host:port`."""
        return f"kafka://{self.bootstrap}"


class Broker:
    """A broker with data, settings and log in one folder. It dies with our process, however that ends.

    Made, it has its ports; it runs from `start` to `stop` or `kill`, as often as wanted.
    """

    def __init__(
        self,
        kit: Kit,
        folder: Path,
        *,
        port: int | None = None,
        settings: Mapping[str, object] | None = None,
        options: Sequence[str] = (),
    ) -> None:
        """`settings` add to and replace those above; `options` are Java's."""
        self.folder = folder.resolve()
        self.data = self.folder / "data"
        self.endpoint = Endpoint(port or free_port(), self.folder / "broker.log")
        self._controller_port = free_port()
        self._kit = kit
        self._settings = {**SETTINGS, **(settings or {})}
        self._options = options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap(self) -> str:
        """As Kafka's clients want it: host and port."""
        return self.endpoint.bootstrap

    @property
    def url(self) -> str:
        """As Tapefold wants it: `kafka://host:port`."""
        return self.endpoint.url

    @property
    def pid(self) -> int:
        """Java's process, while it runs."""
        assert self._process is not None, "it does not run"
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether its process lives, ready or not, paused or not."""
        if self._process is not None and self._process.poll() is not None:
            self._bury()
        return self._process is not None

    def start(self) -> None:
        """Start it; whoever needs an answer waits for `ready`."""
        assert not self.running, "it runs already"
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.data.is_dir():
            part = self.folder / "data.part"
            shutil.copytree(self._kit.formatted, part, dirs_exist_ok=True)
            part.rename(self.data)
        properties = self.folder / "server.properties"
        write_properties(properties, {**self._settings, **self._addresses()})
        command = self._kit.command("kafka.Kafka", str(properties), options=self._options)
        with self.endpoint.log.open("ab") as log:
            # A session of its own, so that Ctrl-C reaches us alone and we can stop it in order.
            self._process = subprocess.Popen(
                ["sh", "-c", GUARDED, "sh", *command],
                bufsize=0, stdin=subprocess.PIPE, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip

    async def ready(self) -> None:
        """Return when a Metadata request is answered with a broker: the open port comes long before."""
        try:
            async with asyncio.timeout(START_SECONDS_MAX):
                while not await self.answers():
                    if not self.running:
                        raise BrokerFailedError(f"the broker ended while it started: {self._last_words()}")
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError:
            raise BrokerFailedError(
                f"no broker after {START_SECONDS_MAX} s, see {self.endpoint.log}"
            ) from None

    async def answers(self, within_seconds: float = ANSWER_SECONDS_MAX) -> bool:
        """Whether a Metadata request is answered with a broker, in that time."""
        try:
            # First the port alone: the client tells its log of each failure.
            _, writer = await asyncio.open_connection(HOST, self.endpoint.port)
        except OSError:
            return False
        writer.close()
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap, request_timeout_ms=int(within_seconds * 1_000)
        )
        try:
            async with asyncio.timeout(within_seconds):
                await admin.start()
                cluster = await admin.describe_cluster()
        except (KafkaError, OSError):
            return False
        finally:
            await admin.close()
        return bool(cluster["brokers"])

    def wait_ready(self) -> None:
        """`ready`, for callers without a loop."""
        asyncio.run(self.ready())

    def stop(self) -> None:
        """Stop it in order, as SIGTERM does; also one that is paused."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(STOP_SECONDS_MAX)
        self.kill()

    def kill(self) -> None:
        """Kill -9. What it acknowledged stays."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._bury()

    def pause(self) -> None:
        """SIGSTOP: connections stay open, nothing answers. Returns when it stands still."""
        os.kill(self.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let it go on after a pause."""
        os.kill(self.pid, signal.SIGCONT)

    def remove(self) -> None:
        """Kill it and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _addresses(self) -> Mapping[str, object]:
        listener = f"PLAINTEXT://{self.bootstrap}"
        return {
            "log.dirs": self.data,
            "listeners": f"{listener},CONTROLLER://{HOST}:{self._controller_port}",
            "advertised.listeners": listener,
            "controller.quorum.voters": f"1@{HOST}:{self._controller_port}",
        }

    def _bury(self) -> None:
        # Tell the guard, so that it never kills whoever gets the dead one's pid.
        assert self._process is not None
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):
            self._process.stdin.write(b"\n")
        self._process.stdin.close()
        self._process = None

    def _last_words(self) -> str:
        text = self.endpoint.log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip("# ")] or ["it said nothing"]
        errors = [number for number, line in enumerate(lines) if " ERROR " in line or " FATAL " in line]
        # Below such a line stands the exception.
        words = lines[errors[-1] : errors[-1] + 2] if errors else lines[-1:]
        return f"{' '.join(words)} ({self.endpoint.log})"
