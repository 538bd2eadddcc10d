from __future__ import annotations

import asyncio

from projections.progress import Progress


async def test_what_is_projected_needs_no_waiting() -> None:
    """An offset that was passed is answered at once; a later one is waited for in vain."""
    progress = Progress()
    assert progress.projected(0) == -1
    progress.advance(0, 5)
    assert await progress.wait(0, 5, 0)
    assert not await progress.wait(0, 6, 0)
    assert not await progress.wait(1, 0, 0)


async def test_who_waits_is_woken_when_its_offset_is_passed() -> None:
    """An advance wakes all who wait up to its offset, in any order of their coming, and nobody else."""
    progress = Progress()
    waiting = [asyncio.create_task(progress.wait(0, offset, 60)) for offset in (7, 3, 5)]
    await asyncio.sleep(0)
    progress.advance(0, 5)
    assert await waiting[1]
    assert await waiting[2]
    assert not waiting[0].done()
    progress.advance(0, 8)
    assert await waiting[0]


async def test_who_gave_up_does_no_harm() -> None:
    """One that was canceled or whose time was over is passed over later."""
    progress = Progress()
    canceled = asyncio.create_task(progress.wait(0, 1, 60))
    await asyncio.sleep(0)
    canceled.cancel()
    assert not await progress.wait(0, 1, 0)
    other = asyncio.create_task(progress.wait(0, 1, 60))
    await asyncio.sleep(0)
    progress.advance(0, 1)
    assert await other


async def test_progress_may_fall_back() -> None:
    """After a crash of the database the rows are gone again for a moment, and progress says so."""
    progress = Progress()
    progress.advance(0, 5)
    progress.advance(0, 3)
    assert progress.projected(0) == 3
    assert not await progress.wait(0, 5, 0)
