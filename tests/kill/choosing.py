"""Which move comes next."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

V = TypeVar("V")

Move = Callable[[V, random.Random], Awaitable[int]]
Moves = Sequence[tuple[Move[V], int]]
"""With how often each is chosen."""


class WrongExit(Exception):
    """A process did not end as it must."""


class Chooser(Generic[V]):
    """Chooses moves by their weights; the first ones are all of them once, in an order of chance."""

    def __init__(self, chance: random.Random, moves: Moves[V]) -> None:
        self._chance = chance
        self._moves = moves
        self._first = [move for move, _ in moves]
        chance.shuffle(self._first)

    def choose(self) -> Move[V]:
        if self._first:
            return self._first.pop()
        moves, weights = zip(*self._moves, strict=True)
        chosen: Move[V] = self._chance.choices(moves, weights)[0]
        return chosen
