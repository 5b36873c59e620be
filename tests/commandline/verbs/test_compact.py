"""`reconcile history compact`: what it forgets, its report, and the answers afterwards."""

import json
import time
from pathlib import Path

import apsw
import pytest

from engine.files.store_lock import hold_store
from tests.commandline.homes import Home
from tests.commandline.in_process import Reconcile
from tests.replicas.history.test_holders import as_earlier_release
from tests.replicas.passes import sql

DAY_NS = 86_400 * 1_000_000_000


@pytest.fixture
def aged(mirror: Reconcile, home: Home) -> tuple[Path, str]:
    """A history of 60 days in which a device was renamed on each; returns it and the device."""
    mirror()
    device = home.rename_device("Renamed")
    mirror()
    path = next(Path.cwd().rglob("*history*.db"))
    now = int(time.time()) * 1_000_000_000 - DAY_NS // 2  # no test ends at the very edge
    sql(
        path,
        "UPDATE records SET at_ns = at_ns - ? WHERE at_ns < (SELECT max(at_ns) FROM records)",
        61 * DAY_NS,
    )
    sql(path, "UPDATE records SET rev = 62 WHERE at_ns = (SELECT max(at_ns) FROM records)")
    sql(
        path,
        "WITH RECURSIVE n (day) AS (SELECT 1 UNION ALL SELECT day + 1 FROM n WHERE day < 60) INSERT INTO records"
        " SELECT ? - day * ?, registry, id, op, 62 - day, hash, payload, digest, run_id, ha_version, modified_us"
        " FROM n, (SELECT * FROM records ORDER BY at_ns DESC LIMIT 1)",
        now,
        DAY_NS,
    )
    return path, device


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def revisions(path: Path) -> int:
    return len(sql(path, "SELECT 1 FROM records WHERE rev > 1"))


def test_nothing_is_forgotten_that_no_setting_names(mirror: Reconcile, aged: tuple[Path, str]) -> None:
    code, _, err = mirror("history", "compact")
    assert code == 1
    assert "history.keep_days" in err
    assert revisions(aged[0]) == 61


def test_a_dry_run_counts_and_changes_nothing(
    mirror: Reconcile, aged: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = aged
    monkeypatch.setenv("RECONCILE_HISTORY__KEEP_DAYS", "30")
    before = files_in(path.parent)
    code, out, _ = mirror("history", "compact", "--dry-run")
    assert code == 0
    assert "Would forget 31 versions older than" in out
    assert out.endswith("Nothing was changed.\n")
    assert files_in(path.parent) == before


@pytest.mark.slow
def test_forgotten_revisions_are_mentioned_wherever_the_past_is_shown(
    mirror: Reconcile, aged: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, device = aged
    monkeypatch.setenv("RECONCILE_HISTORY__KEEP_DAYS", "30")
    answer = json.loads(mirror("history", "compact", "--json").out)
    assert (answer["forgotten_by_age"], answer["forgotten_by_thinning"]) == (31, 0)
    assert answer["bytes_after"] < answer["bytes_before"]
    assert revisions(path) == 31
    out = mirror("history", device).out
    assert f"Forgotten: 31 older than {answer['known_from']}." in out
    reported = json.loads(mirror("history", device, "--json").out)
    assert (reported["known_from"], reported["forgotten"]) == (answer["known_from"], 31)
    assert "Nothing to forget" in mirror("history", "compact").out
    assert mirror().code == 0, "the next pass finds nothing missing"


def test_flapping_is_thinned_and_counted(
    mirror: Reconcile, aged: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, device = aged
    monkeypatch.setenv("RECONCILE_HISTORY__THIN_SECONDS", "604800")
    code, out, _ = mirror("history", "compact")
    assert code == 0
    assert "followed within an interval of 604800 s" in out
    assert revisions(path) < 20
    assert "followed by another within an interval of 604800 s" in mirror("history", device).out


def test_a_clock_that_may_have_jumped_is_refused_and_a_time_is_taken(
    mirror: Reconcile, aged: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path, _ = aged
    sql(path, "DELETE FROM records WHERE at_ns > (SELECT max(at_ns) FROM records) - ?", 40 * DAY_NS)
    monkeypatch.setenv("RECONCILE_HISTORY__KEEP_DAYS", "30")
    before = revisions(path)
    code, _, err = mirror("history", "compact")
    assert code == 1
    assert "current time is uncertain" in err
    assert "--before" in err
    assert revisions(path) == before
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 50 * 86_400))
    code, out, _ = mirror("history", "compact", "--before", day)
    assert (code, f"older than {day}T00:00:00.000Z" in out) == (0, True)


@pytest.mark.parametrize(
    ("argv", "code", "said"),
    [
        (("compact", "--before", "9000-01-01"), 1, "is in the future"),
        (("compact", "--before", "soon"), 64, "neither a day nor a time"),
        (("light.x", "--dry-run"), 64, "is an option of `reconcile history compact`"),
        (("light.x", "--before", "2026-01-01"), 64, "is an option of `reconcile history compact`"),
    ],
)
def test_invalid_arguments_are_refused(
    mirror: Reconcile, argv: tuple[str, ...], code: int, said: str
) -> None:
    mirror()
    answer = refused(mirror, "history", *argv)
    assert (answer[0], said in answer[1]) == (code, True), answer


@pytest.mark.parametrize(
    ("records", "said"), [("none", "no history file"), ("history:absent.db", "does not exist")]
)
def test_without_a_history_file_there_is_nothing_to_compact(
    reconcile: Reconcile, records: str, said: str
) -> None:
    code, _, err = reconcile("history", "compact", "--before", "2026-01-01", "--records", records)
    assert (code, said in err) == (1, True)


def refused(mirror: Reconcile, *argv: str) -> tuple[object, str]:
    try:
        code, _, err = mirror(*argv)
    except SystemExit as end:
        return end.code, ""
    return code, err


def test_a_file_of_an_earlier_release_is_rebuilt_unless_a_service_runs(
    mirror: Reconcile, aged: tuple[Path, str]
) -> None:
    path, _ = aged
    as_earlier_release(path)
    sql(path, "UPDATE records SET payload = json_set(payload, '$.name', hex(zeroblob(2000))) WHERE rev > 1")
    sql(path, "PRAGMA auto_vacuum = 0; VACUUM")
    size = path.stat().st_size
    rows = next(p for p in path.parent.glob("*.db") if p != path)
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 30 * 86_400))
    with hold_store(rows):
        out = mirror("history", "compact", "--before", day).out
    assert "Forgot" in out
    assert "were not given back: that keeps others waiting, and a service is running." in out
    assert path.stat().st_size >= size
    assert "Nothing to forget" in mirror("history", "compact", "--before", day).out
    assert path.stat().st_size < size
    connection = apsw.Connection(str(path))
    assert connection.pragma("freelist_count") == 0
    connection.close()
