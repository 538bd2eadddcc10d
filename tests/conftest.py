"""What holds for every test: settings come from the test, never from the shell that started it."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

pytest_plugins = ("tests.support.postgres", "tests.support.kafka.fixtures")

PREFIX = "TAPEFOLD_"
# What a developer or CI tells the tests themselves, such as a Postgres to use, stays.
PREFIX_FOR_TESTS = "TAPEFOLD_TEST_"


@pytest.fixture(scope="session", autouse=True)
def _no_settings_from_outside() -> Iterator[None]:
    """Wipe TAPEFOLD_* before the first fixture of any scope, for subprocesses of the tests too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(PREFIX) and not name.startswith(PREFIX_FOR_TESTS):
                patch.delenv(name)
        yield
