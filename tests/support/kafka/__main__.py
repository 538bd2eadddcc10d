"""`make kafka`: a broker in the foreground, for trying Tapefold on Kafka. Its data stay for the next time."""

from __future__ import annotations

import argparse
import asyncio
import logging
import signal
import sys
from pathlib import Path

from tests.support.kafka.archive import prepare
from tests.support.kafka.jars import cache_folder
from tests.support.kafka.java import KafkaMissingError
from tests.support.kafka.kit import Kit
from tests.support.kafka.ports import is_free
from tests.support.kafka.server import Broker, BrokerFailedError

POLL_SECONDS = 0.2
MEMORY = "-Xmx512m"


def main() -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; 1 and one line where it cannot run."""
    parser = argparse.ArgumentParser(prog="python -m tests.support.kafka", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path(".kafka"), help="where its data lie")
    parser.add_argument("--port", type=int, default=9092, help="on 127.0.0.1")
    given = parser.parse_args()
    # What our client says of a broker that is not up yet is no news.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    try:
        if not is_free(given.port):
            return _refuse(
                f"port {given.port} of 127.0.0.1 is in use: name another, e.g. make kafka KAFKA_PORT=19092"
            )
        if not (cache_folder() / "jars").is_dir():
            print("Fetching Kafka's jars by Maven, once ...", flush=True)
        return asyncio.run(_run(prepare(), given.dir, given.port))
    except (KafkaMissingError, BrokerFailedError, OSError) as error:
        return _refuse(str(error))
    except KeyboardInterrupt:
        return 130


async def _run(kit: Kit, folder: Path, port: int) -> int:
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    broker = Broker(kit, folder, port=port, options=[MEMORY])
    try:
        broker.start()
        await broker.ready()
        print(f"Kafka answers at {broker.url}")
        print(
            f"Its data lie in {broker.folder}, its log is {broker.endpoint.log}. Ctrl-C stops it.", flush=True
        )
        while broker.running:
            await asyncio.sleep(POLL_SECONDS)
    except asyncio.CancelledError:
        return 0
    finally:
        broker.stop()
    raise BrokerFailedError(f"the broker ended by itself: see {broker.endpoint.log}")


def _refuse(message: str) -> int:
    print(f"make kafka: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
