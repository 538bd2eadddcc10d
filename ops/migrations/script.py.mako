"""${message}.

Runs at start, before anything else reads these tables.
"""

from __future__ import annotations

from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade() -> None:
    """Go forward. There is no way back: a backup is."""
    ${upgrades if upgrades else "raise NotImplementedError"}
