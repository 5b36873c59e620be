"""A reader of all changes gets them in order, and learns of a gap and of the end."""

import pytest

from api.sites.ports import SiteChange
from engine.sites.followed import FollowedChanges

pytestmark = pytest.mark.anyio


def change(number: int) -> SiteChange:
    return SiteChange("home", "sqlite", "device", f"d{number}", None, "pending", "applied", "run")


async def test_changes_come_in_order_and_then_the_end() -> None:
    changes = FollowedChanges()
    changes.put([change(1), change(2)])
    changes.put([change(3)])
    changes.close()
    assert [await changes.next() for _ in range(3)] == [change(1), change(2), change(3)]
    with pytest.raises(StopAsyncIteration):
        await changes.next()


async def test_a_reader_that_is_too_slow_is_notified_and_continues() -> None:
    changes = FollowedChanges()
    changes.put([change(number) for number in range(1500)])
    changes.put([change(number) for number in range(1500)])
    changes.put([change(7)])
    assert await changes.next() is None
    assert await changes.next() == change(7)
