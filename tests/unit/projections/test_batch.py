from __future__ import annotations

from daemon.domain.values import Mint
from projections.batch import Batch
from projections.marks import MARKS, MarkRow

KEY = (0, "mint")


def row(source: str) -> MarkRow:
    return MarkRow(tape=0, mint=Mint("mint"), source=source)


def test_the_last_write_of_a_row_wins() -> None:
    """A row that is put twice is written once, as it was put last."""
    batch = Batch()
    batch.put(MARKS, KEY, row("first"))
    batch.put(MARKS, KEY, row("second"))
    assert list(batch.upserts()) == [(MARKS, [row("second")])]


def test_a_patch_of_a_new_row_changes_it() -> None:
    """A patch of a row that waits to be written goes into that row."""
    batch = Batch()
    batch.put(MARKS, KEY, row("first"))
    batch.patch(MARKS, KEY, source="second")
    assert list(batch.upserts()) == [(MARKS, [row("second")])]
    assert list(batch.updates()) == []


def test_patches_of_a_stored_row_are_one_patch() -> None:
    """Patches of one row are merged, so that one statement never changes a row twice."""
    batch = Batch()
    batch.patch(MARKS, KEY, source="first", at=1)
    batch.patch(MARKS, KEY, source="second", decimals=None)
    patch = {"tape": 0, "mint": "mint", "source": "second", "at": 1, "decimals": None}
    assert list(batch.updates()) == [(MARKS, ("at", "decimals", "source"), [patch])]


def test_a_whole_row_replaces_patches() -> None:
    """A row that is put whole forgets the patches before it."""
    batch = Batch()
    batch.patch(MARKS, KEY, source="first")
    batch.put(MARKS, KEY, row("second"))
    assert list(batch.upserts()) == [(MARKS, [row("second")])]
    assert list(batch.updates()) == []


def test_patches_are_grouped_by_their_columns() -> None:
    """Rows whose patches change the same columns share a statement's part, others do not."""
    batch = Batch()
    for mint in ("a", "b"):
        batch.patch(MARKS, (0, mint), source="same")
    batch.patch(MARKS, (0, "c"), at=1)
    assert [(columns, len(patches)) for _, columns, patches in batch.updates()] == [
        (("source",), 2),
        (("at",), 1),
    ]
