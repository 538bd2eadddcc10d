from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from ops.postgres import server as module
from ops.postgres.account import Account
from ops.postgres.binaries import Binaries
from ops.postgres.cluster import explain
from ops.postgres.place import Place
from ops.postgres.server import Server, dsn


def place_in(folder: Path) -> Place:
    return Place(folder, Account(os.geteuid(), os.getegid()), "s?cr/t")


def test_the_log_is_cut_to_its_newest_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log beyond its limit keeps its end, and a server that has it open goes on behind that."""
    monkeypatch.setattr(module, "LOG_BYTES_MAX", 100)
    monkeypatch.setattr(module, "LOG_BYTES_KEPT", 10)
    server = Server(place_in(tmp_path), Binaries(Path("/bin"), "18.6"), tmp_path)
    server.trim_log()
    with server.place.log.open("ab", buffering=0) as log:
        log.write(b"x" * 100)
        server.trim_log()
        assert server.log_size() == 100
        log.write(b"0123456789")
        server.trim_log()
        log.write(b"!")
    assert server.place.log.read_bytes() == b"0123456789!"


def test_a_failed_start_is_one_line(tmp_path: Path) -> None:
    """Of all that a server says when it fails, the user sees the line that tells why."""
    said = "WARNING: noise\n2026-11-24 [7] FATAL:  data directory has wrong ownership\nHINT: more\n"
    assert str(explain("it fails", said, tmp_path)) == (
        "it fails: 2026-11-24 [7] FATAL:  data directory has wrong ownership"
    )
    assert str(explain("it fails", "", tmp_path)) == "it fails: it said nothing"


def test_a_full_disk_is_called_that(tmp_path: Path) -> None:
    """A full disk is named as such, in whichever of Postgres's messages it appears."""
    said = 'FATAL:  could not write lock file "postmaster.pid": No space left on device'
    assert "the disk is full" in str(explain("it fails", said, tmp_path))


@pytest.mark.parametrize(
    ("said", "passing"),
    [
        ("FATAL:  pre-existing shared memory block (key 1, ID 2) is still in use", True),
        ('FATAL:  lock file "postmaster.pid" already exists', True),
        ("FATAL:  could not load library", False),
    ],
)
def test_what_passes_by_itself_is_told_from_what_does_not(tmp_path: Path, said: str, passing: bool) -> None:
    """A dead server's last backends are waited for; a broken installation is not."""
    server = Server(place_in(tmp_path), Binaries(Path("/bin"), "18.6"), tmp_path)
    server.place.log.write_text(f"FATAL:  pre-existing shared memory block of yesterday\n{said}\n")
    since = server.place.log.read_text().index("\n")
    assert server.why_it_ended(since)[1] is passing


def test_the_dsn_survives_odd_paths_and_passwords(tmp_path: Path) -> None:
    """Blanks in a path and signs in a password stay what they are."""
    parts = urlsplit(dsn(place_in(tmp_path), Path("/a b/c&d")))
    assert parse_qs(parts.query) == {"host": ["/a b/c&d"], "port": ["5432"]}
    assert parts.password == "s%3Fcr%2Ft"
