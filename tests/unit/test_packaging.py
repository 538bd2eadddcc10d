"""Five import packages of everyday names: what must hold so that they live in an environment unharmed."""

from __future__ import annotations

import importlib
import re
import tomllib
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("daemon", "streams", "projections", "api", "ops")
LOCKS = ("requirements.lock", "requirements-dev.lock")

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\]+)", re.MULTILINE)
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")
# A URL, an option that names an index, or anything after a pin that is neither marker nor hash.
HOST = re.compile(r"://|--(extra-)?index|--find-links|\s@\s")


def project_table() -> dict[str, Any]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        table: dict[str, Any] = tomllib.load(file)["project"]
    return table


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return {found["name"]: found["version"] for found in PIN.finditer(text)}


def names(requirements: list[str]) -> set[str]:
    found = [REQUIREMENT.match(requirement) for requirement in requirements]
    return {re.sub(r"[-_.]+", "-", name.group()).lower() for name in found if name}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_other_distribution_ships_a_package_of_ours(package: str) -> None:
    """Another distribution with our package name (python-daemon, Canonical's ops) overwrites our files."""
    # An editable installation lists no packages, so ours may be missing; anybody else's may not be there.
    owners = set(packages_distributions().get(package, ()))
    assert owners <= {"tapefold"}, f"{package!r} is also shipped by {sorted(owners - {'tapefold'})}"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_of_ours_comes_from_this_tree_typed_and_described(package: str) -> None:
    """Each of the five comes from this tree, has py.typed, and says in one line what it is."""
    module = importlib.import_module(package)
    assert module.__file__ is not None
    assert Path(module.__file__).resolve() == ROOT / package / "__init__.py"
    assert (ROOT / package / "py.typed").is_file()
    assert module.__doc__
    assert "\n" not in module.__doc__.strip()


def test_the_console_script_is_ops_cli_main() -> None:
    """The command `tapefold` is `ops.cli:main`."""
    scripts = distribution("tapefold").entry_points.select(group="console_scripts")
    assert {script.name: script.value for script in scripts} == {"tapefold": "ops.cli:main"}


def test_the_project_is_marked_private() -> None:
    """A package index refuses the project, whose import names are everyday words."""
    assert "Private :: Do Not Upload" in project_table()["classifiers"]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_host(lock: str) -> None:
    """A lock holds names, versions and hashes; from where they come is each machine's own affair."""
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if HOST.search(line)] == []


def test_the_locks_pin_what_the_project_asks_for() -> None:
    """Every direct dependency is pinned in its lock."""
    table = project_table()
    run = names(table["dependencies"])
    dev = run | names(table["optional-dependencies"]["dev"])
    assert run - pins("requirements.lock").keys() == set()
    assert dev - pins("requirements-dev.lock").keys() == set()


def test_what_runs_is_tested_in_the_same_versions() -> None:
    """The lock for development holds every pin of the run-time lock unchanged."""
    assert pins("requirements.lock").items() <= pins("requirements-dev.lock").items()
