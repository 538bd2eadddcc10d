"""The log, the API keys and the states of stages.

Runs at start, before anything else reads these tables.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import context, op

revision = "0001"
down_revision = None

# `heads` and `journal_heads` are apart so that appends and commits do not wait for one another. They are
# updated all the time: room on their page keeps those updates off the index and the table small.
# Data is text, never jsonb: stored bytes are hashed and must come back as they were.
TAPE = """
CREATE TABLE tape.settings (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    tapes integer NOT NULL CHECK (tapes > 0),
    partition_offsets bigint NOT NULL DEFAULT 10000000 CHECK (partition_offsets > 0)
);
CREATE TABLE tape.heads (
    tape integer PRIMARY KEY,
    next_offset bigint NOT NULL DEFAULT 0,
    at bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
CREATE TABLE tape.journal_heads (
    tape integer PRIMARY KEY,
    next_offset bigint NOT NULL DEFAULT 0,
    reached bigint NOT NULL DEFAULT -1,
    epoch bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
CREATE TABLE tape.inputs (
    tape integer NOT NULL,
    "offset" bigint NOT NULL,
    at bigint NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (tape, "offset")
) PARTITION BY RANGE ("offset");
CREATE TABLE tape.entries (
    tape integer NOT NULL,
    "offset" bigint NOT NULL,
    tape_offset bigint NOT NULL,
    data text NOT NULL,
    PRIMARY KEY (tape, "offset")
) PARTITION BY RANGE ("offset");
"""

IDENTITY = """
CREATE SCHEMA IF NOT EXISTS identity;
CREATE TABLE identity.api_keys (
    id uuid PRIMARY KEY,
    owner text NOT NULL,
    name text NOT NULL,
    hash text NOT NULL UNIQUE,
    prefix text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE TABLE identity.stages (
    stage text NOT NULL,
    tape integer NOT NULL,
    state text NOT NULL,
    "offset" bigint,
    error text,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (stage, tape)
);
"""


def upgrade() -> None:
    """Go forward. There is no way back: a backup is."""
    for statement in (TAPE + IDENTITY).split(";"):
        if statement.strip():
            op.execute(statement)
    tapes = int(context.config.attributes["tapes"])
    op.execute(sa.text("INSERT INTO tape.settings (tapes) VALUES (:tapes)").bindparams(tapes=tapes))
    op.execute("INSERT INTO tape.heads (tape) SELECT generate_series(0, tapes - 1) FROM tape.settings")
    op.execute("INSERT INTO tape.journal_heads (tape) SELECT tape FROM tape.heads")
