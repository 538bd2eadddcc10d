"""Snapshots of the traders' states.

They only save time: all of them may be deleted.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

# One that is not finished has no facts. Chunks are kept as they are: compressing them would take longer than
# it takes to read them.
SNAPSHOTS = """
CREATE TABLE tape.snapshots (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tape integer NOT NULL,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    made_at timestamptz,
    seconds double precision,
    tape_offset bigint,
    journal_offset bigint,
    hash text,
    version text,
    bytes bigint,
    chunks integer,
    checksum text,
    CHECK (made_at IS NULL OR num_nulls(
        seconds, tape_offset, journal_offset, hash, version, bytes, chunks, checksum
    ) = 0)
);
CREATE TABLE tape.snapshot_chunks (
    snapshot bigint NOT NULL REFERENCES tape.snapshots ON DELETE CASCADE,
    number integer NOT NULL,
    data bytea NOT NULL,
    PRIMARY KEY (snapshot, number)
);
ALTER TABLE tape.snapshot_chunks ALTER COLUMN data SET STORAGE EXTERNAL
"""


def upgrade() -> None:
    """Go forward. There is no way back: a backup is."""
    for statement in SNAPSHOTS.split(";"):
        op.execute(statement)
