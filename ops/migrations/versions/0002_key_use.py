"""When an API key was last used.

Null for a key that was not used since this is recorded.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Go forward. There is no way back: a backup is."""
    op.execute("ALTER TABLE identity.api_keys ADD COLUMN last_used_at timestamptz")
