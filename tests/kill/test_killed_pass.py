"""`reconcile` killed at any instant, again and again, with a reader beside it: the next pass ends in the same place."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.core.home.snapshot import Snapshot
from tests.kill.fork_server import ForkServer, Order
from tests.kill.kills import draw_for, draw_instant, is_killed, run_until, share
from tests.kill.onlooker import NOTHING, Onlooker, look_at
from tests.kill.remains import check_equal, check_influx, revisions
from tests.kill.scenarios import ARGV, ENVIRON, SCENARIOS, desired
from tests.replicas.passes import sql

pytestmark = pytest.mark.timeout(1800)  # as long as CI's number of kills may take

# The last line of an undisturbed pass over this home; the mock devices of HomeIQ stay until they are pruned.
STATUS = {"adoption": "out_of_sync"}
TIMES = dict.fromkeys(("run_id", "compared_at", "duration_seconds", "phase_seconds"))
KILLS = share(0.2)  # of each scenario


class Course:
    """One scenario: its start, and its undisturbed end."""

    def __init__(self, name: str, folder: Path, server: ForkServer) -> None:
        self.name = name
        self.server = server
        self.folder = folder
        self.before = folder / "before"
        self.before.mkdir()
        SCENARIOS[name](self.before, server)
        self.start = check_influx(self.before, folder / "scratch", {}) or NOTHING
        self.desired: Snapshot = desired(self.before)
        undisturbed = self.copy("undisturbed")
        began = time.monotonic()
        ending = server.run(self.order(undisturbed))
        self.seconds = time.monotonic() - began
        self.operations = ending.operations
        self.end = look_at(undisturbed / "rows.db", self.start.fields)
        self.feed = feed(undisturbed)
        self.revisions = revisions(undisturbed)
        check_equal(undisturbed, self.desired)

    def copy(self, name: str) -> Path:
        shutil.copytree(self.before, self.folder / name)
        return self.folder / name

    def order(self, folder: Path) -> Order:
        return Order(ARGV, str(folder), ENVIRON)

    def report(self, folder: Path) -> Any:
        """For an undisturbed pass."""
        (folder / "said.txt").unlink(missing_ok=True)
        assert self.server.run(self.order(folder)).code == 0
        return json.loads((folder / "said.txt").read_text())


def feed(folder: Path) -> list[tuple[object, ...]]:
    return sql(
        folder / "rows.db", "SELECT seq, op, registry, id, cause, before, after FROM reconcile_changes"
    )


@pytest.fixture(scope="module", params=SCENARIOS)
def course(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer
) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("killed")
    yield Course(request.param, folder, fork_server)
    shutil.rmtree(folder)


def test_a_killed_pass_leaves_complete_plans_and_the_next_one_ends_the_same(
    course: Course, onlooker: Onlooker
) -> None:
    kills = chain = 0
    while kills < KILLS:
        chain += 1
        kills += kill_and_converge(course, chain, onlooker if chain % 2 else None)
    print(
        f"{course.name}: {kills} kills in {chain} homes, {course.operations} operations and {course.seconds:.2f} s a pass"
    )


def kill_and_converge(course: Course, chain: int, onlooker: Onlooker | None) -> int:
    """Kill one to four passes over one home, then let one end. Returns how many were killed."""
    draw = draw_for(f"{course.name}/{chain}")
    folder = course.copy(f"home {chain}")
    allowed = {course.start.rows, course.end.rows}
    kills = 0
    if onlooker is not None:
        onlooker.watch(folder / "rows.db")
    for _ in range(draw.randint(1, 4)):
        instant = draw_instant(draw, course.operations, course.seconds)
        print(f"{course.name}, home {chain}: {instant}")
        if not is_killed(run_until(course.server, course.order(folder), instant)):
            break
        kills += 1
        left = check_influx(folder, course.folder / "scratch", course.start.fields)
        assert left is None or left.wrong == ()
        assert left is None or left.rows in allowed
    report = course.report(folder)
    assert report["status"] == STATUS.get(course.name, "in_sync")
    assert report["errors"] == []
    check_equal(folder, course.desired)
    end = look_at(folder / "rows.db", course.start.fields)
    assert (end.rows, end.booked, end.wrong) == (course.end.rows, course.end.booked, ())
    # Everything happened once: a gap or a double would be a difference.
    assert feed(folder) == course.feed
    assert revisions(folder) == course.revisions
    # Whatever the kills left of the pass cache, one that is begun with says what a pass without says.
    again = course.report(folder)
    (folder / "rows.db.cache").unlink(missing_ok=True)
    assert {**again, **TIMES} == {**course.report(folder), **TIMES}
    if onlooker is not None:
        seen = onlooker.stop()
        assert seen.wrong == []
        assert set(seen.rows) <= allowed
        assert seen.looks
    again = course.report(folder)
    assert [r["applied"] for r in again["replicas"]] == [{"upsert": 0, "move": 0, "delete": 0}] * 2
    shutil.rmtree(folder)
    return kills
