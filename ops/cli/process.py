"""`tapefold worker`, `projector`, `api`, `intake` and `publisher`: one of several processes."""

from __future__ import annotations

import sys

import uvloop

from ops.cli.up import configure_logs, ended
from ops.installation import read_settings
from ops.lifecycle import run_process
from ops.roles import API, INTAKE, PROJECTOR, PUBLISHER, WORKER, Role

ROLES = {role.name: role for role in (WORKER, PROJECTOR, API, INTAKE, PUBLISHER)}


def run(name: str, *, host: str | None, port: str | None) -> None:
    """Run one process until it is told to stop; exits 1 when a part of it ends by itself."""
    settings = read_settings(host=host, port=port)
    configure_logs(settings)
    role: Role = ROLES[name]
    sys.exit(uvloop.run(ended(run_process(settings, role))))
