"""How far an answer of a view can be trusted."""

from pathlib import Path

import msgspec
import pytest

from api.fleet.answers import CURRENT_SECONDS, standing_notice
from api.fleet.ports import Standing
from tests.api.fleet.views import SAID, MemoryView, asking
from tests.homes import NOON

pytestmark = pytest.mark.anyio


async def test_a_client_that_has_the_answer_gets_none(tmp_path: Path) -> None:
    view = MemoryView(tmp_path, *SAID)
    for path in ("/api/fleet/devices?q=lamp", "/api/fleet/models"):
        async with asking(view) as client:
            first = await client.get(path)
            known = {"if-none-match": first.headers["etag"]}
            again = await client.get(path, headers=known)
            assert (again.status_code, again.content) == (304, b"")
            assert again.headers["etag"] == first.headers["etag"]
            view.held = msgspec.structs.replace(view.held, as_of=NOON - 1)
            assert (await client.get(path, headers=known)).status_code == 304
            view.held = msgspec.structs.replace(view.held, revision=view.held.revision + 1)
            assert (await client.get(path, headers=known)).status_code == 200


async def test_an_answer_that_grew_old_is_another_one(tmp_path: Path) -> None:
    view = MemoryView(tmp_path, *SAID)
    async with asking(view) as client:
        etag = (await client.get("/api/fleet/models")).headers["etag"]
    async with asking(view, NOON + CURRENT_SECONDS) as client:
        later = await client.get("/api/fleet/models", headers={"if-none-match": etag})
    assert later.status_code == 200
    assert later.json()["as_of"].startswith("20")


def test_outdated_answers_carry_a_notice() -> None:
    assert standing_notice(Standing(as_of=NOON), NOON + CURRENT_SECONDS) is None
    old = standing_notice(Standing(as_of=NOON, problem="Kafka is away."), NOON + CURRENT_SECONDS + 1)
    assert old is not None
    assert old.startswith("This is what Kafka held at 20")
    assert old.endswith("Kafka is away.")
    ahead = standing_notice(Standing(as_of=NOON), NOON - 3600)  # the clock was set back, and Kafka is away
    assert ahead is not None
    assert standing_notice(Standing(), NOON) == "The view has not read everything from Kafka yet."
