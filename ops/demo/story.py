"""Who takes part in the demo and what happens when: agents, signals, a close by hand."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from daemon.domain.ids import base58
from daemon.domain.values import Mint

PAIRS: Final = ("ADA/BTC", "TRX/BTC", "XLM/BTC", "ZEC/BTC")
CANDLE_SECONDS: Final = 300


class Part(NamedTuple):
    """An agent of the demo."""

    name: str
    deposit: str
    about: str
    config: Mapping[str, Any]


class Signal(NamedTuple):
    """A signal, posted once so many candles have passed."""

    candle: int
    symbol: str
    score: int
    reason: str


class Close(NamedTuple):
    """A position closed by hand, once so many candles have passed."""

    candle: int
    agent: str
    symbol: str


def mint_of(pair: str) -> Mint:
    """The made-up mint of a pair."""
    return Mint(base58(hashlib.sha256(f"demo:{pair}".encode()).digest()))


MINTS: Final[Mapping[str, Mint]] = {pair.partition("/")[0]: mint_of(pair) for pair in PAIRS}
"""By symbol."""

CAST: Final = (
    Part("Defaults", "10", "1 SOL on every signal, no stop", {}),
    Part(
        "Stop 3%",
        "10",
        "1 SOL, one position a token, stop loss at 3 %",
        {
            "purchaseLimits": {"onePositionPerToken": True},
            "stopLoss": {"enabled": True, "percent": "3"},
            "fillModel": {"slippageBps": 20},
        },
    ),
    Part(
        "Choosy",
        "10",
        "20 % of its SOL, score 4 or more, 2 positions at most",
        {
            "signals": {"minStrength": 4},
            "sizing": {"mode": "percent", "percent": "20"},
            "purchaseLimits": {"maxOpenPositions": 2, "onePositionPerToken": True},
        },
    ),
    Part("Small purse", "1.5", "1 SOL on every signal, but has only 1.5", {}),
)

STORY: Final[tuple[Signal | Close, ...]] = (
    Signal(2, "ADA", 5, "breakout"),
    Signal(7, "TRX", 3, "volume spike"),  # too weak for one, too dear for another
    Signal(13, "ADA", 4, "breakout holds"),  # held already
    Signal(19, "ZEC", 5, "oversold"),
    Signal(25, "XLM", 4, "follows the market"),  # one position too many
    Close(88, "Defaults", "ZEC"),
)
LAST_CANDLE: Final = 95
