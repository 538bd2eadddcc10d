"""Row operations of one write: whole rows and patches, the last write of a row wins."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from projections.model import Key, Model, R, Row

Upsert = tuple[Model[Any], list[Row]]
Update = tuple[Model[Any], tuple[str, ...], list[dict[str, Any]]]


class Batch:
    """Gathers what folds do to rows, so that each row is written at most once."""

    def __init__(self) -> None:
        self.rows: defaultdict[Model[Any], dict[Key, Row]] = defaultdict(dict)
        self.patches: defaultdict[Model[Any], dict[Key, dict[str, Any]]] = defaultdict(dict)
        self.size = 0

    def put(self, model: Model[R], key: Key, row: R) -> None:
        """Insert a whole row, or replace the one that has this key."""
        self.rows[model][key] = row
        self.size += 1
        if self.patches and model in self.patches:
            self.patches[model].pop(key, None)

    def patch(self, model: Model[Any], key: Key, **columns: Any) -> None:
        """Change some columns of a row that exists, here or in the table."""
        row = self.rows[model].get(key)
        if row is not None:
            for name, value in columns.items():
                setattr(row, name, value)
            return
        patches = self.patches[model]
        if key in patches:
            patches[key].update(columns)
            return
        parts = key if isinstance(key, tuple) else (key,)
        patches[key] = dict(zip(model.key, parts, strict=True)) | columns
        self.size += 1

    def keep(self, rewritten: Batch) -> None:
        """Move the rows that are put again and again over into `rewritten`, to be written once at the end."""
        for model in [each for each in self.rows if each.is_replaced]:
            rows = self.rows.pop(model)
            rewritten.rows[model].update(rows)
            self.size -= len(rows)

    def upserts(self) -> Iterable[Upsert]:
        """The whole rows, by model."""
        for model, rows in self.rows.items():
            if rows:
                yield model, list(rows.values())

    def updates(self) -> Iterable[Update]:
        """The patches, by model and by the columns they change."""
        for model, patches in self.patches.items():
            groups: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
            for patch in patches.values():
                groups[tuple(sorted(patch.keys() - set(model.key)))].append(patch)
            for columns, group in groups.items():
                yield model, columns, group
