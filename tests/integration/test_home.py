"""The home on a real disk, with real other processes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.errors import StartError
from ops.home import FORMAT_VERSION, Home, HomeInUse, default_home

ROOT = Path(__file__).resolve().parents[2]

HOLD_THE_HOME = """
import sys
from pathlib import Path
from ops.home import Home
with Home.open(Path(sys.argv[1])).lock("tapefold up"):
    print("held", flush=True)
    sys.stdin.read()
"""


def one_line(error: BaseException) -> str:
    text = str(error)
    assert text
    assert "\n" not in text
    return text


def test_a_new_home_is_private_and_states_its_version(tmp_path: Path) -> None:
    """A home that we make is the user's alone, with its parents, and says which format it has."""
    home = Home.open(tmp_path / "a" / "b")
    assert home.path.stat().st_mode & 0o777 == 0o700
    assert json.loads((home.path / "home.json").read_text()) == {"version": FORMAT_VERSION}
    assert (home.path / "home.json").stat().st_mode & 0o777 == 0o600


def test_a_folder_that_was_there_keeps_its_mode(tmp_path: Path) -> None:
    """No mode of a folder that we did not make is changed."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o755)
    Home.open(tmp_path / "shared")
    assert (tmp_path / "shared").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("below", ["", "home"])
def test_a_file_in_the_way_is_one_clear_line(tmp_path: Path, below: str) -> None:
    """A file in place of the home, or of a folder above it, stops the start with a line that names it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError) as caught:
        Home.open(tmp_path / "file" / below)
    assert str(tmp_path / "file") in one_line(caught.value)
    assert "a file is in the way" in one_line(caught.value)


def test_a_home_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """What a newer Tapefold left is not touched by an older one, which says what to do."""
    facts = json.dumps({"version": FORMAT_VERSION + 1, "unheard": "of"})
    (tmp_path / "home.json").write_text(facts)
    with pytest.raises(StartError) as caught:
        Home.open(tmp_path)
    assert "newer Tapefold" in one_line(caught.value)
    assert (tmp_path / "home.json").read_text() == facts


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"version": "1"}'])
def test_broken_facts_are_one_clear_line(tmp_path: Path, content: str) -> None:
    """A home.json that cannot be understood stops the start, and is never overwritten."""
    (tmp_path / "home.json").write_text(content)
    with pytest.raises(StartError) as caught:
        Home.open(tmp_path)
    assert "home.json" in one_line(caught.value)
    assert (tmp_path / "home.json").read_text() == content


def test_the_second_is_told_who_holds_the_home_and_a_kill_frees_it(tmp_path: Path) -> None:
    """A held home names its holder by pid and command; kill -9 of the holder frees it at once."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD_THE_HOME, str(tmp_path / "home")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        home = Home.open(tmp_path / "home")
        with pytest.raises(HomeInUse) as caught:
            home.lock()
        assert f"process {holder.pid} (tapefold up)" in one_line(caught.value)
        assert not home.is_locked_by_us
        holder.send_signal(signal.SIGKILL)
    with home.lock():
        assert home.is_locked_by_us


def test_a_program_that_we_start_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """What outlives us, such as a database, does not keep the next start out."""
    home = Home.open(tmp_path)
    lock = home.lock()
    with subprocess.Popen(["sleep", "60"], close_fds=False) as child:
        lock.release()
        lock.release()
        assert not home.is_locked_by_us
        home.lock().release()
        child.kill()


def test_the_database_is_remembered_and_moves_with_the_home(tmp_path: Path) -> None:
    """A database inside the home is found where the home is now, one outside where it was put."""
    home = Home.open(tmp_path / "before")
    assert home.database is None
    home.remember_database(home.path / "postgres")
    home.path.rename(tmp_path / "after")
    moved = Home.open(tmp_path / "after")
    assert moved.database == moved.path / "postgres"
    moved.remember_database(Path("/elsewhere/0123"))
    assert Home.open(moved.path).database == Path("/elsewhere/0123")


def test_the_default_home_is_in_the_users_data_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """XDG_DATA_HOME is followed if it is absolute, as its specification says; else ~/.local/share."""
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    assert default_home() == Path("/data/tapefold")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert default_home() == Path("/home/somebody/.local/share/tapefold")


@pytest.mark.root
def test_what_root_leaves_in_a_users_home_is_the_users(tmp_path: Path) -> None:
    """Root may use the home of an ordinary user without locking him out of it."""
    if os.geteuid() != 0:
        pytest.skip("needs root: gives a folder to another user")
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", 65534, 65534)
    home = Home.open(tmp_path / "home")
    home.lock().release()
    assert {path.name: path.stat().st_uid for path in home.path.iterdir()} == {
        "home.json": 65534,
        "lock": 65534,
    }


def test_a_copy_of_a_home_is_told_from_a_moved_one(tmp_path: Path) -> None:
    """A copy would share the database that lies outside with its original; a moved home keeps it."""
    home = Home.open(tmp_path / "one")
    home.remember_database(Path("/somewhere/else"))
    shutil.copytree(home.path, tmp_path / "two")
    assert Home.open(tmp_path / "two").original == home.path
    shutil.rmtree(home.path)
    assert Home.open(tmp_path / "two").original is None
