"""What is published of an entry, and under which names."""

from __future__ import annotations

import json

from daemon.domain.ids import derive
from daemon.domain.values import AgentId, SignalId
from daemon.records import Entry
from streams.edges.names import TOLD, edge_topics
from streams.edges.payloads import outgoing
from streams.edges.records import OutsideRecord, Rejection, rejected
from streams.log.kafka_address import parse_url
from tests.support.history import bought, some_id


def test_topics_are_plain_beside_the_log_of_the_default_prefix() -> None:
    """Only a log with a prefix of its own has it before the names of the topics beside it."""
    assert edge_topics(parse_url("kafka://h")).signals == "signals"
    topics = edge_topics(parse_url("kafka://h/blue"))
    assert topics.rejected == "blue.signals.rejected"
    assert topics.published == {told: f"blue.{told}" for told in TOLD}


def test_an_entry_is_published_by_its_ids() -> None:
    """A bought position is a decision, an order twice, a fill and a position, each under its own id."""
    agent, signal = AgentId(some_id("agent")), SignalId(some_id("signal"))
    entry = Entry(7, 1_000, 1, tuple(bought(agent, signal, 1_000)))  # type: ignore[arg-type]
    found = list(outgoing(1, entry))
    assert [each.told for each in found] == ["decisions", "orders", "orders", "fills", "positions"]
    assert found[0].key == derive("decision", signal, agent)
    position = json.loads(found[-1].value)
    assert position["id"] == found[-1].key
    assert (position["tape"], position["tape_offset"], position["status"]) == (1, 7, "open")
    assert position["decimals"] == 6
    assert list(outgoing(1, entry)) == found


def test_a_rejected_record_is_keyed_by_its_place_and_repeats_nothing_of_it() -> None:
    """The topic of rejected records names where one stands and why, and never what it holds."""
    record = OutsideRecord("signals", 3, 12, 1_000, b"key", b"secret", {})
    key, value = rejected(record, Rejection("MALFORMED_JSON", "the body is not valid JSON"))
    assert key == b"3-12"
    assert b"secret" not in value
    assert json.loads(value)["code"] == "MALFORMED_JSON"
