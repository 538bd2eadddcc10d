"""A wrong setting is one line that names it; a URL's may not quote the URL."""

from __future__ import annotations

import pytest

from daemon.settings import SettingError, read


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "must begin with postgresql://"),
        ("mysql://u:s3cret@h/x", "must begin with postgresql://"),
        ("postgresql://u:s3@cret@h:5432/x", "is written %40"),
        ("postgresql://u:[s3cret@h/x", "percent-encode"),
        ("postgresql://u:s3\u2100cret@h/x", "percent-encode"),
        ("postgresql://u:s3/cret@h/x", "percent-encode"),
        ("postgresql://u:s3#cret@h/x", "percent-encode"),
        ("postgresql://u:12/s3cret@h/x", "percent-encode"),
        ("postgresql://u:12?s3cret@h/x", "percent-encode"),
        ("postgresql://u:s3cret@h:x/x", "with a port from 1 to 65535"),
        ("postgresql://u:s3cret@h:0/x", "with a port from 1 to 65535"),
        ("postgresql://u:s3cret@h:65536/x", "with a port from 1 to 65535"),
        ("postgresql://u:s3cret@::1:5432/x", "[IPv6]:port"),
        ("postgresql://u:s3cret@a,,b/x", "needs host:port"),
        ("postgresql://u:s3cret@a/x?port=b", "needs a port"),
    ],
)
def test_a_wrong_url_is_named_and_not_quoted(url: str, says: str) -> None:
    """A URL that cannot be meant so is refused by its setting's name, without any part of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TAPEFOLD_DATABASE_URL", url)
        with pytest.raises(SettingError) as refused:
            read()
    line = str(refused.value)
    assert line.startswith("TAPEFOLD_DATABASE_URL: ")
    assert says in line
    assert "\n" not in line
    assert "s3" not in line
    assert "cret" not in line


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p%40ss@h:5432/x",
        "postgres://h/x",
        "postgresql://u@[::1]:5432/x",
        "postgresql://u@[::1],b:1/x?target_session_attrs=primary",
        "postgresql:///x?host=/run/postgresql&port=5433",
        "postgresql://%2Frun%2Fpostgresql/x",
        "postgresql://u:p@:5432/x?sslmode=require",
        "postgresql://",
    ],
)
def test_every_form_that_postgres_takes_is_taken(url: str) -> None:
    """Sockets, several hosts, IPv6, options and what is left to the environment all pass."""
    assert read(database_url=url).database_url == url
