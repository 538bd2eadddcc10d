from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from ops.errors import StartError
from ops.postgres import account
from ops.postgres.account import Account, account_for


def as_root_without_useradd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(account, "SYSTEM_USER", "tapefold-no-such-user")
    monkeypatch.setattr(account, "_USERADD", ("false",))


def test_an_ordinary_user_runs_the_database_himself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without root no other user is asked for, and programs are started as they are."""
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    found = account_for(tmp_path / "new")
    assert found == Account(1234, os.getegid())
    assert found.spawn_arguments() == {}


def test_where_no_user_can_be_made_nobody_runs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root on a system that cannot be changed falls back to the user nobody, in no other group."""
    as_root_without_useradd(monkeypatch)
    nobody = pwd.getpwnam("nobody")
    found = account_for(tmp_path / "new")
    assert found == Account(nobody.pw_uid, nobody.pw_gid)
    assert found.spawn_arguments() == {
        "user": nobody.pw_uid,
        "group": nobody.pw_gid,
        "extra_groups": [],
    }


def test_without_any_user_the_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root without a user for Postgres gets one line with both ways out."""
    as_root_without_useradd(monkeypatch)
    monkeypatch.setattr(account, "FALLBACK_USER", "nobody-at-all")
    with pytest.raises(StartError, match=r"useradd --system .* or start as an ordinary user"):
        account_for(tmp_path / "new")


@pytest.mark.root
def test_a_database_stays_with_its_owner(tmp_path: Path) -> None:
    """Whoever owns a database's folder runs it, whichever users the system has by then."""
    if os.geteuid() != 0:
        pytest.skip("needs root: gives a folder to another user")
    os.chown(tmp_path, 12345, 54321)
    assert account_for(tmp_path) == Account(12345, 54321)
