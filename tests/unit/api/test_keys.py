"""The forms of API keys and what scopes allow."""

from __future__ import annotations

import hashlib

import pytest

from api.identity.keys import SCOPES, Principal, is_key, key_hash
from daemon.domain.values import Owner


def test_admin_may_do_everything() -> None:
    """The scope admin implies all others."""
    principal = Principal(Owner("o"), "k", frozenset({"admin"}))
    assert all(principal.may(scope) for scope in SCOPES)


def test_a_scope_allows_itself_alone() -> None:
    """Without admin, a key may do what its scopes name and nothing else."""
    principal = Principal(Owner("o"), "k", frozenset({"read"}))
    assert [scope for scope in SCOPES if principal.may(scope)] == ["read"]


@pytest.mark.parametrize("text", ["", "nex_abc", "tf", "tf_\n", "tf_é", "tf_" + "x" * 100])
def test_what_has_no_form_of_a_key_is_never_looked_up(text: str) -> None:
    """Only printable ASCII with our prefix and of a sane length reaches the database."""
    assert not is_key(text)


def test_a_key_is_stored_as_its_sha256() -> None:
    """The hash tells nothing of the key and is the same every time."""
    assert key_hash("tf_x") == hashlib.sha256(b"tf_x").hexdigest()
