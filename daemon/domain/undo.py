"""An undo journal: what a batch has changed in the working state, so that it can be taken back.

Decisions of a batch run ahead of their commit. Each change is noted with what was there before; after the
commit the notes are thrown away, otherwise they are played back from the newest.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")
_ABSENT: Final = object()


class Undo:
    """Notes of one working state."""

    def __init__(self) -> None:
        self._notes: list[Any] = []
        """Three places a note, flat: a tuple each would be work for the collector in the midst of a batch."""

    def put(self, mapping: dict[_Key, _Value], key: _Key, value: _Value) -> None:
        """`mapping[key] = value`, undoable."""
        self._notes += (mapping, key, mapping.get(key, _ABSENT))
        mapping[key] = value

    def drop(self, mapping: dict[_Key, _Value], key: _Key) -> None:
        """`mapping.pop(key, None)`, undoable. The key may come back in another place of the order."""
        if key in mapping:
            self._notes += (mapping, key, mapping.pop(key))

    def set(self, target: object, name: str, value: object) -> None:
        """`setattr`, undoable."""
        self._notes += (target, name, getattr(target, name))
        setattr(target, name, value)

    def call(self, undo: Callable[[], object]) -> None:
        """Note how something that was done can be taken back."""
        self._notes += (undo, None, None)

    def savepoint(self) -> int:
        """A place to roll back to."""
        return len(self._notes)

    def rollback(self, savepoint: int = 0) -> None:
        """Take back all that was done since the savepoint."""
        notes = self._notes
        while len(notes) > savepoint:
            before, key, target = notes.pop(), notes.pop(), notes.pop()
            if isinstance(target, dict):
                if before is _ABSENT:
                    target.pop(key, None)
                else:
                    target[key] = before
            elif key is None:
                target()
            else:
                setattr(target, key, before)

    def forget(self, savepoint: int | None = None) -> None:
        """Keep all that was done, or what was done before the savepoint; later savepoints move down by it."""
        del self._notes[:savepoint]
