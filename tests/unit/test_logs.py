"""Log lines hold what happened, and no secret."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from daemon import logs

KEY = "tf_AbCdEfGhIjKlMnOpQrStUvWxYz012345"


@pytest.fixture
def out() -> Iterator[io.StringIO]:
    """What is logged; the settings of before come back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    before = structlog.get_config()
    yield io.StringIO()
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def test_a_line_is_json_with_time_level_and_logger(out: io.StringIO) -> None:
    """A line for machines says when, how bad, who and what."""
    logs.configure("json", stream=out)
    structlog.get_logger("trader").info("folded", offset=7)
    (line,) = lines(out)
    assert str(line.pop("time")).endswith("Z")
    assert line == {"event": "folded", "offset": 7, "level": "info", "logger": "trader"}


def test_lines_of_libraries_come_out_in_the_same_form(out: io.StringIO) -> None:
    """The standard library's loggers go the same way."""
    logs.configure("json", stream=out)
    logging.getLogger("asyncpg").warning("lost %s", "it")
    assert lines(out)[0]["event"] == "lost it"


def test_a_level_keeps_what_is_below_it_out(out: io.StringIO) -> None:
    """The level is the least that is logged."""
    logs.configure("json", "warning", out)
    structlog.get_logger("x").info("quiet")
    logging.getLogger("y").info("quiet")
    structlog.get_logger("x").error("loud")
    assert [line["event"] for line in lines(out)] == ["loud"]


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_reaches_a_line(out: io.StringIO, form: logs.Format) -> None:
    """Keys, passwords and tokens are hidden by name and by form: in values, texts, depths and tracebacks."""
    logs.configure(form, stream=out)
    log = structlog.get_logger("x")
    made = f"made {KEY}"
    log.info(
        made,
        api_key="visible1",
        password="visible2",
        dsn="postgresql://u:visible3@host/db",
        url="cannot reach postgresql://user:visible3@host/db?x",
        header={"Authorization": "Bearer visible4", "other": [f"Bearer visible5 and {KEY}"]},
        query="password=visible6&x=1",
        raw=KEY.encode(),
    )
    try:
        int(KEY)
    except ValueError:
        log.exception("failed")
    logging.getLogger("lib").warning("sent %s", KEY)
    text = out.getvalue()
    assert "visible" not in text
    assert KEY not in text
    assert text.count(logs.HIDDEN) >= 9


def test_what_only_sounds_secret_stays(out: io.StringIO) -> None:
    """Ids and names that operators need are not hidden."""
    logs.configure("json", stream=out)
    structlog.get_logger("x").info(
        "ok", key_id="k", idempotency_key="i", token_address="mint", error="tf_short"
    )
    (line,) = lines(out)
    assert (line["key_id"], line["idempotency_key"], line["token_address"], line["error"]) == (
        "k",
        "i",
        "mint",
        "tf_short",
    )
