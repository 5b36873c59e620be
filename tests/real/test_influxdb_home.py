"""A home in a real InfluxDB, from the command line: mirrored, compared, examined, and restored from."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from engine.__main__ import main
from engine.composition.stores import open_stores
from engine.replicas.influx.outbox import open_outbox
from engine.settings.layers import load_settings
from tests.real.influxdb import DATABASE, InfluxServer
from tests.service_process import SAMPLE

pytestmark = pytest.mark.real_server


class Answer:
    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def report(self) -> Any:
        return json.loads(self.out)


class Home:
    """One site in the shared server, with rows in the test's folder."""

    def __init__(self, server: InfluxServer, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.records = f"influxdb://127.0.0.1:{server.port}/{DATABASE}?wire=auto"
        self._folder = folder
        self._capsys = capsys
        # Several tests share the server.
        self.site = "".join(c for c in folder.name.lower() if c.isalnum() or c in "_-")[-60:]

    def run(self, *argv: str, source: str = SAMPLE, rows: str = "rows.db") -> Answer:
        given = ["--source", source, "--rows", str(self._folder / rows), "--records", self.records]
        code = main([*argv, *given, "--site", self.site])
        out, err = self._capsys.readouterr()
        return Answer(code, out, err)


@pytest.fixture
def home(own_influxdb: InfluxServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Home:
    return Home(own_influxdb, tmp_path, capsys)


def test_a_home_is_mirrored_and_a_second_pass_writes_nothing(home: Home) -> None:
    first = home.run("--json")
    assert (first.code, first.report["status"]) == (0, "in_sync")
    assert [(r["replica"], r["applied"]["upsert"]) for r in first.report["replicas"]] == [
        ("sqlite", 205),
        ("influxdb", 205),
    ]
    second = home.run("--json")
    assert (second.code, second.report["records"]) == (0, [])
    assert "Nothing to do: sqlite and influxdb" in home.run().out


def test_the_rows_are_restored_from_the_records_after_home_assistant_is_lost(home: Home) -> None:
    home.run()
    restored = home.run("--json", source="records", rows="restored.db")
    assert (restored.code, restored.report["status"]) == (0, "in_sync")
    assert restored.report["replicas"][0]["applied"]["upsert"] == 205
    # Equal to what Home Assistant has, with no write left to do.
    assert home.run("--json", rows="restored.db").report["records"] == []


def test_history_of_a_record_is_reported(home: Home) -> None:
    home.run()
    reported = home.run("history", "light.bed_light")
    assert reported.code == 0
    assert "rev 1" in reported.out


def test_doctor_checks_the_server(home: Home) -> None:
    home.run()
    found = home.run("doctor", "--json")
    checks = {c["name"]: c["status"] for c in found.report["checks"]}
    assert {n: s for n, s in checks.items() if n.startswith("influxdb")} == {
        "influxdb server": "ok",
        "influxdb read": "ok",
        "influxdb write": "ok",
        "influxdb retention": "ok",
        "influxdb clock": "ok",
        "influxdb types": "ok",
        "influxdb future points": "ok",
    }
    assert found.code == 0


def test_homeiqs_measurements_are_reported_and_never_touched(home: Home, own_influxdb: InfluxServer) -> None:
    home.run()
    known = "04969ec96ec400e0219e4b6a7d61ef4a"  # the bed light of the sample
    lines = (
        f'devices,device_id={known},manufacturer=Acme,model=X,area_id=kitchen name="Lamp" 1000000000',
        f'devices,device_id={known},manufacturer=Acme,model=X,area_id=bedroom name="Lamp" 2000000000',
        'devices,device_id=gone,manufacturer=Acme,model=X,area_id=attic name="Old" 1000000000',
    )
    own_influxdb.write("\n".join(lines))
    reported = home.run("drift", "--json")
    legacy = [r for r in reported.report["records"] if "HomeIQ" in r["replica"]]
    assert [(r["key"], r["kind"]) for r in legacy] == [(known, "stale"), ("gone", "orphaned")]
    assert "area_id=kitchen" in legacy[0]["why"][0]
    assert home.run("drift").out.count("HomeIQ") > 0
    assert home.run("--json").report["records"] == []


def test_a_server_that_is_away_is_partial_and_caught_up_with(home: Home, own_influxdb: InfluxServer) -> None:
    own_influxdb.stop()
    away = home.run("--json")
    assert (away.code, away.report["partial"], away.report["status"]) == (1, True, "unknown")
    assert away.report["replicas"][0]["status"] == "in_sync"
    own_influxdb.start()
    back = home.run("--json")
    assert (back.code, back.report["status"]) == (0, "in_sync")
    assert [r["applied"]["upsert"] for r in back.report["replicas"]] == [0, 205]


def test_observe_mode_leaves_the_outbox_of_a_killed_process_alone(home: Home, tmp_path: Path) -> None:
    home.run()
    outbox = open_outbox("influxdb", tmp_path / "rows.db.outbox")
    line = f'ha_area,site={home.site},id=attic hash="1:00",payload="x" {time.time_ns()}'
    outbox.put("influxdb", line.encode())
    flags = {"source.uri": SAMPLE, "rows.file": str(tmp_path / "rows.db"), "records.uri": home.records}
    loaded = load_settings({**flags, "plan.mode": "observe", "site.name": home.site}, {}, None, tmp_path)
    with open_stores(loaded) as stores:  # as the service does
        assert stores.records is not None
        assert len(stores.records.observe().versions) == 205
    assert len(outbox.pending("influxdb")) == 1
    assert home.run("--json").report["status"] == "out_of_sync"  # it arrives, and is foreign
    assert outbox.pending("influxdb") == []
    outbox.close()
