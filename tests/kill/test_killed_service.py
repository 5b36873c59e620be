"""`reconcile serve` killed at any instant while Home Assistant changes, with a reader beside it."""

import json
import shutil
import time
from pathlib import Path

import pytest

from engine.core.home.snapshot import Snapshot
from tests.kill.fork_server import KILLED, ForkServer, Order
from tests.kill.kills import Instant, draw_for, draw_instant, share
from tests.kill.onlooker import NOTHING, Onlooker, digest_of, look_at
from tests.kill.remains import check_equal, check_influx, check_revisions
from tests.kill.scenarios import ENVIRON, SAMPLE, Row, desired, edit
from tests.service_process import get, poll

pytestmark = pytest.mark.timeout(1800)  # as long as CI's number of kills may take

ARGV = ["serve", "--source", "capture:source", "--rows", "rows.db", "--records", "history:history.db"]
FAST = {
    **ENVIRON,
    "RECONCILE_HTTP__PORT": "0",
    "RECONCILE_LOG__FORMAT": "json",
    "RECONCILE_LOOP__POLL_SECONDS": "0.1",
    "RECONCILE_LOOP__WATCH_SECONDS": "0.05",
    "RECONCILE_LOOP__COALESCE_SECONDS": "0",
}
KILLS = share(0.12)
LIVES_MAX = 6
OPERATIONS, SECONDS = 550, 0.8  # a service that fills the stores and takes some changes
CHANGES_PER_LIFE = 2


class ChangingHome:
    """A source that changes, and every state that it was in."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        shutil.copytree(SAMPLE, folder / "source")
        self._number = 0
        self.states = [desired(folder)]

    def change(self) -> None:
        """Rename two devices, which renames their entities as well: one change, a plan of many rows."""
        self._number += 1
        name = f"Name {self._number}"

        def rename(rows: list[Row]) -> None:
            for row in rows[10:12]:
                row["name_by_user"] = name

        # The state is known before the service can see it.
        rehearsal = self._folder / "rehearsal"
        shutil.copytree(self._folder / "source", rehearsal / "source")
        edit(rehearsal / "source", "device_registry_list", rename)
        self.states.append(desired(rehearsal))
        shutil.rmtree(rehearsal)
        edit(self._folder / "source", "device_registry_list", rename)

    @property
    def newest(self) -> Snapshot:
        return self.states[-1]


def test_a_killed_service_leaves_whole_plans_and_the_next_one_goes_on(
    tmp_path: Path, fork_server: ForkServer, onlooker: Onlooker
) -> None:
    kills = number = 0
    while kills < KILLS:
        number += 1
        folder = tmp_path / f"home {number}"
        folder.mkdir()
        kills += live_and_die(folder, number, fork_server, onlooker)
        shutil.rmtree(folder)


def live_and_die(folder: Path, number: int, server: ForkServer, onlooker: Onlooker) -> int:
    """Some services over one home, all of them killed. Returns how many."""
    draw = draw_for(f"service/{number}")
    home = ChangingHome(folder)
    onlooker.watch(folder / "rows.db")
    lives = draw.randint(2, LIVES_MAX)
    for _ in range(lives):
        instant = draw_instant(draw, OPERATIONS, SECONDS)
        print(f"service, home {number}: {instant}")
        live(home, folder, server, instant)
        left = check_influx(folder, folder / "scratch", {})
        assert left is None or left.wrong == ()
    converge(home, folder, server)
    seen = onlooker.stop()
    assert seen.wrong == []
    assert set(seen.rows) <= {NOTHING.rows, *(digest_of(state.home.row_versions) for state in home.states)}
    assert seen.looks
    return lives + 1


def live(home: ChangingHome, folder: Path, server: ForkServer, instant: Instant) -> None:
    """One service, while Home Assistant changes, up to the instant, or soon after it."""
    server.start(Order(ARGV, str(folder), FAST, crash_at=instant.operation, is_torn=instant.is_torn))
    seconds = SECONDS if instant.operation else instant.seconds
    for _ in range(CHANGES_PER_LIFE):
        home.change()
        ends = time.monotonic() + seconds / CHANGES_PER_LIFE
        while server.is_running() and time.monotonic() < ends:
            time.sleep(0.005)
    assert server.kill().code == KILLED


def converge(home: ChangingHome, folder: Path, server: ForkServer) -> None:
    """One service more, until it says it is in sync, and then it is; its API returns the whole feed."""
    (folder / "said.txt").unlink(missing_ok=True)
    server.start(Order(ARGV, str(folder), FAST))
    try:
        address = wait_for_address(folder / "said.txt")
        poll(address, "/api/status", "in_sync")
        check_equal(folder, home.newest)
        reported = get(address, "/api/changes?after=0&limit=1000")["changes"]
    finally:
        assert server.kill().code == KILLED
    end = look_at(folder / "rows.db", {})
    assert (end.rows, end.wrong) == (digest_of(home.newest.home.row_versions), ())
    assert [change["seq"] for change in reported] == list(range(1, len(end.feed) + 1))[: len(reported)]
    check_revisions(folder)


def wait_for_address(said: Path) -> str:
    for _ in range(2400):
        for line in said.read_text().splitlines() if said.exists() else ():
            if '"serving"' in line:
                address: str = json.loads(line)["api"]
                return address
        time.sleep(0.05)
    pytest.fail(f"did not serve: {said.read_text()}")
