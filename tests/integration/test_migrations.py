"""The schemas `tape` and `identity`, made and kept up to date at start."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

import ops.migrations
from daemon.database import Database
from ops.errors import StartError
from ops.migrations import REVISIONS, migrate
from streams.log.embedded import EmbeddedLog


def test_the_revisions_named_are_those_of_the_scripts() -> None:
    """`REVISIONS` lists the migration scripts in their order, so the cheap query may trust it."""
    config = Config()
    config.set_main_option("script_location", str(Path(ops.migrations.__file__).parent))
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    assert tuple(script.revision for script in reversed(list(scripts))) == REVISIONS


async def test_many_may_migrate_at_once(empty_database: str) -> None:
    """Of several that start at once on an empty database one migrates, and all go on."""
    await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    database = await Database.open(empty_database, "test")
    log = await EmbeddedLog.open(database)
    assert (await log.append(0, [b"a"])).first == 0
    await log.close()
    await database.close()


async def test_the_number_of_tapes_is_fixed_when_the_log_is_made(empty_database: str) -> None:
    """A log keeps the number of tapes that it was made with, whatever a later start says."""
    await migrate(empty_database, tapes=3)
    await migrate(empty_database, tapes=5)
    database = await Database.open(empty_database, "test")
    log = await EmbeddedLog.open(database)
    assert log.tapes == 3
    assert (await log.append(2, [b"a"])).first == 0
    await log.close()
    await database.close()


async def test_a_newer_database_is_refused(database_url: str) -> None:
    """A database with a revision that we do not know stops the start with one line that names it."""
    connection = await asyncpg.connect(database_url)
    await connection.execute("UPDATE tape.alembic_version SET version_num = '9999'")
    await connection.close()
    with pytest.raises(StartError, match=r"newer Tapefold .*9999") as refused:
        await migrate(database_url)
    assert "\n" not in str(refused.value)


async def test_an_unreachable_database_is_one_line(tmp_path: Path) -> None:
    """Where no database answers, a start is stopped with one line that holds no password."""
    with pytest.raises(StartError, match="cannot connect to the database") as refused:
        await migrate(f"postgresql://someone:hunter2@/x?host={tmp_path}")
    assert "hunter2" not in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_user_without_rights_is_one_line(empty_database: str) -> None:
    """A user who may not make schemas is told so in one line."""
    connection = await asyncpg.connect(empty_database)
    await connection.execute("DROP ROLE IF EXISTS tapefold_test_guest")
    await connection.execute("CREATE ROLE tapefold_test_guest LOGIN")
    await connection.close()
    with pytest.raises(StartError, match="may not make our tables"):
        await migrate(empty_database.replace("postgres@", "tapefold_test_guest@"))


async def test_a_start_without_migration_does_not_import_alembic(database_url: str) -> None:
    """Alembic takes a second to import: a start that has nothing to migrate does without it."""
    script = (
        "import asyncio, sys; from ops.migrations import migrate;"
        f"asyncio.run(migrate({database_url!r})); sys.exit('alembic' in sys.modules)"
    )
    ran = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", script], check=False)
    assert ran.returncode == 0
