from __future__ import annotations

import hashlib
import uuid

from base58 import b58encode

from daemon.domain import ids
from daemon.domain.values import AgentId, OrderId, Owner


def test_a_derived_id_is_a_version_5_uuid() -> None:
    """The quick derivation gives what the standard library's uuid5 gives."""
    for parts in (("a",), ("order", "x", "ü", "0"), ("", "")):
        assert ids.derive(*parts) == str(uuid.uuid5(ids.NAMESPACE, "\0".join(parts)))


def test_ids_differ_by_every_cause() -> None:
    """Owner, route and key; cause, agent, purpose and n: each changes the id, and so does where parts end."""
    agent = AgentId("agent")
    made = [
        ids.input_id(Owner("a"), "POST /x", "k"),
        ids.input_id(Owner("b"), "POST /x", "k"),
        ids.input_id(Owner("a"), "POST /y", "k"),
        ids.input_id(Owner("a"), "POST /x", "l"),
        ids.input_id(Owner("aP"), "OST /x", "k"),
        ids.order_id("cause", agent, "entry", 0),
        ids.order_id("cause", agent, "entry", 1),
        ids.order_id("cause", agent, "manual", 0),
        ids.order_id("cause", AgentId("b"), "entry", 0),
        ids.fill_id(OrderId("cause"), 0),
        ids.position_id(OrderId("cause")),
    ]
    assert len(set(made)) == len(made)


def test_a_simulated_wallet_is_an_address() -> None:
    """A simulated agent's wallet is the base58 of 32 bytes that follow from its id."""
    wallet = ids.simulated_wallet(AgentId("agent"))
    assert wallet == b58encode(hashlib.sha256(b"agent").digest()).decode()
    assert ids.base58(b"\0\0\x01") == b58encode(b"\0\0\x01").decode() == "112"
