"""`reconcile history compact` killed at any instant: everything that the file does not list as forgotten is still there."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.core.records.record import Key
from engine.core.records.revision import Revision
from engine.errors import HistoryForgotten
from engine.replicas.history.replica import open_history
from tests.kill.fork_server import ForkServer, Order
from tests.kill.kills import draw_for, draw_instant, is_killed, run_until, share
from tests.kill.remains import check_influx
from tests.kill.scenarios import ARGV, ENVIRON, first_fill
from tests.replicas.passes import sql

pytestmark = pytest.mark.timeout(1800)  # as long as CI's number of kills may take

KILLS = share(0.1)
DAY_NS = 86_400 * 1_000_000_000
DAYS, KEPT = 60, 30
HOURLY = {**ENVIRON, "RECONCILE_HISTORY__THIN_SECONDS": "3600"}


class Course(NamedTuple):
    """A history of two months in which everything changes every day and three entities flap; and its end."""

    before: Path
    argv: list[str]
    edge: float
    at_edge: dict[Key, Revision]
    numbers: dict[tuple[object, object], object]
    seconds: float
    operations: int
    end: list[tuple[object, ...]]


def rows_of(folder: Path) -> list[tuple[object, ...]]:
    return sql(folder / "history.db", "SELECT at_ns, registry, id, rev, hash FROM records ORDER BY at_ns")


def age(path: Path) -> None:
    sql(path, "UPDATE records SET at_ns = at_ns - ?", (DAYS + 1) * DAY_NS)
    grow = (
        "WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < ?) INSERT INTO records SELECT at_ns + v * ?,"
        " registry, id, 'update', rev + v, hash, payload, digest, run_id, ha_version, modified_us FROM n, records WHERE "
    )
    sql(path, f"{grow} registry IN ('area', 'device')", DAYS, DAY_NS)
    sql(
        path,
        f"{grow} id IN (SELECT id FROM records WHERE registry = 'entity' ORDER BY id LIMIT 3)",
        1500,
        DAY_NS // 30,
    )


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, fork_server: ForkServer) -> Iterator[Course]:
    folder = tmp_path_factory.mktemp("compacted")
    before = folder / "before"
    before.mkdir()
    first_fill(before, fork_server)
    assert fork_server.run(Order(ARGV, str(before), ENVIRON)).code == 0
    age(before / "history.db")
    edge = time.time() // 3600 * 3600 - KEPT * 86_400
    argv = ["history", "compact", "--before", datetime.fromtimestamp(edge, UTC).isoformat(), *ARGV]
    history = open_history(before / "history.db", read_only=True)
    at_edge = history.as_of(edge)
    history.close()
    numbers = {
        (registry, id_): count
        for registry, id_, count in sql(
            before / "history.db", "SELECT registry, id, max(rev) FROM records GROUP BY 1, 2"
        )
    }
    undisturbed = folder / "undisturbed"
    shutil.copytree(before, undisturbed)
    began = time.monotonic()
    ending = fork_server.run(Order(argv, str(undisturbed), HOURLY))
    assert ending.code == 0, (undisturbed / "said.txt").read_text()
    seconds = time.monotonic() - began
    end = rows_of(undisturbed)
    assert len(end) < len(rows_of(before)) / 2
    yield Course(before, argv, edge, at_edge, numbers, seconds, ending.operations, end)
    shutil.rmtree(folder)


def test_a_killed_compaction_reports_everything_it_forgot_and_the_next_one_ends_the_same(
    course: Course, fork_server: ForkServer, tmp_path: Path
) -> None:
    kills = number = 0
    while kills < KILLS:
        number += 1
        draw = draw_for(f"compaction/{number}")
        folder = tmp_path / f"home {number}"
        shutil.copytree(course.before, folder)
        for _ in range(draw.randint(1, 4)):
            instant = draw_instant(draw, course.operations, course.seconds)
            print(f"compaction, home {number}: {instant}")
            if not is_killed(run_until(fork_server, Order(course.argv, str(folder), HOURLY), instant)):
                break
            kills += 1
            check_influx(folder, tmp_path / "scratch", {})
            check_honest(tmp_path / "scratch" / "history.db", course)
        assert fork_server.run(Order(course.argv, str(folder), HOURLY)).code == 0
        assert rows_of(folder) == course.end
        check_honest(folder / "history.db", course)
        shutil.rmtree(folder)


def check_honest(path: Path, course: Course) -> None:
    """Each missing revision is counted, and the home as of the edge is what it was; before the edge, or a refusal."""
    history = open_history(path, read_only=True)
    known_from = history.forgotten(Key("area", "none")).known_from
    for (registry, id_), rev in course.numbers.items():
        key = Key(str(registry), str(id_))
        assert len(history.timeline(key)) + history.forgotten(key).revisions == rev
    assert history.as_of(course.edge) == course.at_edge
    if known_from is None:
        assert sql(path, "SELECT count(*) FROM records WHERE op = 'create'") == [(len(course.numbers),)]
        assert sql(path, "SELECT value FROM meta WHERE name = 'schema_version'") == [(1,)]
    else:
        assert known_from == course.edge
        with pytest.raises(HistoryForgotten):
            history.as_of(course.edge - 1)
        assert sql(path, "SELECT value FROM meta WHERE name = 'schema_version'") == [(2,)]
    history.close()
