"""A history of years: the size of a version, the time of a page, and the delay of an event by compaction.

Input: the entities of a seeded home, written by the engine and renamed for twenty passes; then one of them with 200,000
versions, spread over 400 days. Method: the file's growth by the versions written; a page is 100 versions from the middle
with `total` and what is known of the rest, on a connection that reads only; forgetting keeps 30 days, one version an hour,
in the service's own steps; an event may have to wait for one.

    python -m bench.stores.history_growth
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import apsw
import msgspec

from bench.figures import Figure, publish
from engine.core.home.snapshot import Snapshot
from engine.core.records.record import Entity, Key
from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.history.retention import Retention
from engine.replicas.rows.replica import open_rows
from tests.homes import ENTRY, NOON, entity, snapshot
from tests.replicas.passes import one_pass

ENTITIES, PASSES, REVISIONS, DAYS = 1_000, 20, 200_000, 400
_DAY_NS = 86_400 * 1_000_000_000
PAGE_MS_MAX, STEP_MS_MAX, FORGET_SECONDS_MAX = 20.0, 100.0, 15.0
KEY = entity(1).key
_GROW = """WITH RECURSIVE n (v) AS (SELECT 1 UNION ALL SELECT v + 1 FROM n WHERE v < ?) INSERT INTO records
  SELECT at_ns + v * ?, registry, id, 'update', rev + v, hash, payload, digest, run_id, ha_version, modified_us
  FROM n, (SELECT * FROM records WHERE registry = ? AND id = ? ORDER BY at_ns DESC LIMIT 1)"""


def home(number: int) -> Snapshot:
    """Everything has another name than in the pass before; the rest of a record is as long as a real one's."""
    capabilities = {
        "effect_list": [f"effect {n}" for n in range(12)],
        "supported_color_modes": ["hs", "color_temp"],
    }
    made = [
        msgspec.structs.replace(entity(n, name=f"Lamp {n} of {number}"), capabilities=capabilities)
        for n in range(1, ENTITIES + 1)
    ]
    assert all(isinstance(one, Entity) for one in made)
    return snapshot(ENTRY, *made)


def grow_by_passes(folder: Path) -> tuple[Path, float]:
    """The history that the engine wrote, and bytes a version."""
    path, rows = folder / "history.db", open_rows(folder / "rows.db")
    history = open_history(path)
    one_pass(history, rows, home(0), at=NOON - DAYS * 86_400)
    history.close()
    before = path.stat().st_size
    for number in range(1, PASSES):
        one_pass(history, rows, home(number), at=NOON - DAYS * 86_400 + number)
    history.close()
    rows.close()
    return path, (path.stat().st_size - before) / (ENTITIES * (PASSES - 1))


def lengthen(path: Path) -> None:
    """Give one record as many versions as years bring."""
    connection = apsw.Connection(str(path))
    connection.execute(_GROW, (REVISIONS, DAYS * _DAY_NS // REVISIONS, *KEY))
    connection.close()


def milliseconds(job: Callable[[], object], rounds: int = 9) -> float:
    """The median of some runs, the first thrown away."""
    taken = []
    for _ in range(rounds + 1):
        began = time.perf_counter()
        job()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken[1:])


def page(history: HistoryFile, key: Key) -> None:
    """What the API asks for one page."""
    assert len(history.timeline(key, after=REVISIONS // 2, limit=101)) == 101
    assert history.count(key) == REVISIONS + PASSES
    history.forgotten(key)


def forget(path: Path) -> tuple[float, float, int]:
    """Seconds in all, milliseconds of the longest step, and versions forgotten."""
    history = open_history(
        path, retention=Retention(keep_days=30, thin_seconds=3600), clock=lambda: NOON + 3600
    )
    longest, began = 0.0, time.perf_counter()
    is_done = False
    while not is_done:
        start = time.perf_counter()
        is_done = history.tidy(is_calm=True)
        longest = max(longest, time.perf_counter() - start)
    seconds = time.perf_counter() - began
    found = history.growth()
    history.close()
    return seconds, longest * 1000, found.forgotten_by_age + found.forgotten_by_thinning


def measure(folder: Path) -> list[Figure]:
    """All figures."""
    path, bytes_each = grow_by_passes(folder)
    lengthen(path)
    size = path.stat().st_size
    reading = open_history(path, read_only=True)
    page_ms = milliseconds(lambda: page(reading, KEY))
    as_of_ms = milliseconds(lambda: reading.as_of(NOON - 200 * 86_400))
    reading.close()
    seconds, step_ms, forgotten = forget(path)
    one, long = f"{ENTITIES} entities, {PASSES} passes", f"{REVISIONS:,} versions of one record"
    return [
        Figure(name="growth of the file a version", size=one, value=bytes_each, unit="bytes"),
        Figure(name="a page of 100, with total", size=long, value=page_ms, unit="ms", budget=PAGE_MS_MAX),
        Figure(
            name="the home as of a time", size=f"{ENTITIES} entities beside it", value=as_of_ms, unit="ms"
        ),
        Figure(
            name="forgetting",
            size=long,
            value=seconds,
            unit="s",
            budget=FORGET_SECONDS_MAX,
            note=f"{forgotten:,} versions",
        ),
        Figure(name="its longest step", size=long, value=step_ms, unit="ms", budget=STEP_MS_MAX),
        Figure(name="file afterwards", size=long, value=path.stat().st_size / size, unit="x before"),
    ]


def main() -> None:
    """Measure, print and keep."""
    with tempfile.TemporaryDirectory() as folder:
        publish("history_growth", measure(Path(folder)))


if __name__ == "__main__":
    main()
