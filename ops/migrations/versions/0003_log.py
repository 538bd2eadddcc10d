"""Which log a database belongs to: its read models and claims are of that one alone.

Null until the first start binds it. One that holds inputs already is its own.
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Go forward. There is no way back: a backup is."""
    op.execute("ALTER TABLE tape.settings ADD COLUMN log text")
    op.execute(
        "UPDATE tape.settings SET log = 'embedded'"
        " WHERE EXISTS (SELECT FROM tape.heads WHERE next_offset > 0)"
    )
