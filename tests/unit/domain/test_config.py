from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from daemon.domain.config import DEFAULT_CONFIG, AgentConfig, from_stored, given_keys, resolve, stored


def test_agents_with_the_same_config_share_it() -> None:
    """A config is read from its event as it was stored, and thousands of agents with it hold it once."""
    config = resolve({"sizing": {"amount": "0.01"}})
    assert from_stored(stored(config)) == config
    assert from_stored(stored(config)) is from_stored(stored(config))


def test_the_defaults_trade() -> None:
    """Without a config an agent buys for 1 SOL on any signal, without stop or limit, at prices of 60 s."""
    config = stored(DEFAULT_CONFIG)
    assert config["signals"] == {"minStrength": 1, "allowedSignalTypes": []}
    assert config["sizing"] == {"mode": "fixed", "amount": "1", "percent": "10"}
    assert config["purchaseLimits"] == {
        "minimumAgentBalance": "0",
        "maxOpenPositions": None,
        "onePositionPerToken": False,
    }
    assert config["stopLoss"] == {"enabled": False, "percent": "32"}
    assert config["market"] == {"maxPriceAgeSeconds": 60, "orderExpirySeconds": 60}
    assert config["fillModel"] == {"slippageBps": 0, "feeBps": 30, "latencyMs": 0}


def test_a_config_is_the_given_keys_over_the_defaults() -> None:
    """What is not given keeps its default, and what was given can be told from it."""
    given: dict[str, Any] = {"sizing": {"amount": "2.50"}, "stopLoss": {"percent": 15}}
    config = resolve(given)
    assert stored(config)["sizing"] == {"mode": "fixed", "amount": "2.5", "percent": "10"}
    assert given_keys(config) == {"sizing": {"amount": "2.5"}, "stopLoss": {"percent": "15"}}


def test_a_stored_config_resolves_to_itself() -> None:
    """The fully resolved form is a valid config: a fold of the journal reads it back."""
    config = resolve({"signals": {"allowedSignalTypes": ["a", "b"]}, "sizing": {"percent": "33.333"}})
    assert AgentConfig.model_validate(stored(config)) == config


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("signals", "minStrength", 0),
        ("signals", "minStrength", 6),
        ("signals", "minStrength", "3"),
        ("signals", "minStrength", True),
        ("signals", "allowedSignalTypes", ["a\0b"]),
        ("signals", "allowedSignalTypes", [""]),
        ("sizing", "mode", "all"),
        ("sizing", "amount", 1),
        ("sizing", "amount", "0"),
        ("sizing", "amount", "-1"),
        ("sizing", "amount", "0.0000000001"),
        ("sizing", "amount", "1e999999"),
        ("sizing", "amount", "NaN"),
        ("sizing", "amount", "18446744073.709551616"),
        ("sizing", "percent", "0"),
        ("sizing", "percent", "100.1"),
        ("sizing", "percent", 0.5),
        ("sizing", "percent", True),
        ("sizing", "percent", "1e-999999"),
        ("purchaseLimits", "maxOpenPositions", 0),
        ("purchaseLimits", "minimumAgentBalance", "-1"),
        ("purchaseLimits", "onePositionPerToken", 1),
        ("stopLoss", "percent", "100"),
        ("stopLoss", "percent", "0"),
        ("market", "maxPriceAgeSeconds", 0),
        ("market", "orderExpirySeconds", 86_401),
        ("fillModel", "slippageBps", 5_001),
        ("fillModel", "feeBps", -1),
        ("fillModel", "latencyMs", 60_001),
        ("fillModel", "unknown", 1),
        ("fillModel", "slippage_bps", 1),
    ],
)
def test_a_bad_field_is_named(section: str, key: str, value: Any) -> None:
    """Every bound holds, every unknown key is refused, and the error names the field."""
    with pytest.raises(ValidationError) as caught:
        resolve({section: {key: value}})
    assert caught.value.errors()[0]["loc"][:2] == (section, key)
