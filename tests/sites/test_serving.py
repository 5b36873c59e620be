"""Many homes in one process: those that misbehave harm no other, and every change of their files is taken up."""

import json
import os
import subprocess
import sys
import urllib.error
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from bench.service.many_homes import Played
from tests.fakes.many_homes import FAULTS
from tests.service_process import ROOT, Service, get, wait_until

pytestmark = [pytest.mark.process, pytest.mark.slow]
ENTITIES = 40


class Homes:
    """A folder of homes, the process that plays them and the one that keeps them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.played = Played(ENTITIES)
        text = '[sites]\ndirectory = "sites.d"\nstate = "state"\nsecrets = "secrets"\n[http]\nport = 0\n'
        (folder / "reconcile.toml").write_text(text + "[source]\ntimeout_seconds = 5\n", encoding="utf-8")
        (folder / "sites.d").mkdir()
        self.service: Service | None = None
        self.address = ""

    def add(self, name: str, text: str = "") -> None:
        secrets = self.folder / "secrets" / name
        secrets.mkdir(parents=True, exist_ok=True)
        (secrets / "source_token").write_text(f"home-{name}\n", encoding="utf-8")
        uri = f'[source]\nuri = "ws://127.0.0.1:{self.played.port}"\n'
        (self.folder / "sites.d" / f"{name}.toml").write_text(text or uri, encoding="utf-8")

    def serve(self, *argv: str) -> None:
        command = [sys.executable, "-m", "engine", "serve", *argv]
        self.service = Service.started_by(command, self.folder, {**os.environ, "PYTHONPATH": str(ROOT)})
        self.address = self.service.wait_until_serving()

    def site(self, name: str) -> dict[str, Any]:
        try:
            found: dict[str, Any] = get(self.address, f"/api/sites/{name}")
        except urllib.error.HTTPError as error:
            with error:
                return {"stage": error.code, "status": None, "reason": None}
        return found

    def wait_for(self, name: str, **wanted: object) -> None:
        wait_until(
            lambda: all(self.site(name).get(key) == value for key, value in wanted.items()),
            f"{name} {wanted}, but {self.site(name)}",
        )

    def row_named(self, site: str, name: str) -> bool:
        found = get(self.address, f"/api/sites/{site}/entities?limit=1000")["entities"]
        return any(entity["name"] == name for entity in found)


@pytest.fixture
def homes(tmp_path: Path) -> Iterator[Homes]:
    made = Homes(tmp_path)
    yield made
    if made.service is not None and made.service.process.poll() is None:
        made.service.stop()
    made.played.close()


def test_homes_that_misbehave_harm_no_other(homes: Homes) -> None:
    good = [f"good{number}" for number in range(4)]
    faults = [fault for fault in FAULTS if fault != "none"]
    for name in (*good, *faults):
        homes.add(name)
    homes.add("broken", "nonsense [")
    homes.add("damaged")
    damaged = homes.folder / "state" / "damaged"
    damaged.mkdir(parents=True)
    (damaged / "rows.db").write_bytes(b"no database" * 1000)
    for fault in faults:
        homes.played.obey(f"fault {fault} {fault}")
    homes.serve()
    for name in good:
        homes.wait_for(name, stage="kept", status="in_sync")
    for number, name in enumerate(good):
        homes.played.obey(f"rename {name} {number} Renamed{number}")
        wait_until(partial(homes.row_named, name, f"Renamed{number}"), "the rename")
    assert homes.site("broken")["stage"] == "invalid"
    assert "broken.toml cannot be read" in homes.site("broken")["reason"]
    for name in ("hang", "lie", "refuse", "drop", "damaged"):
        homes.wait_for(name, status="unknown")
    wait_until(lambda: "rejected the access token" in str(homes.site("refuse")["reason"]), "it says why")
    wait_until(lambda: "rows.db" in str(homes.site("damaged")["reason"]), "the damaged file is named")
    for name in good:
        homes.wait_for(name, status="in_sync")
    homes.played.obey("fault lie none")
    homes.wait_for("lie", status="in_sync")


def test_changes_in_the_folder_are_applied(homes: Homes) -> None:
    homes.add("first")
    homes.serve()
    homes.wait_for("first", status="in_sync")
    homes.add("second")
    homes.wait_for("second", status="in_sync")
    site = [sys.executable, "-m", "engine", "site"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    for action, stage in (("pause", "paused"), ("resume", "kept"), ("remove", 404)):
        subprocess.run(
            [*site, action, "second"], cwd=homes.folder, env=environ, check=True, capture_output=True
        )
        homes.wait_for("second", stage=stage)
    assert homes.site("first")["status"] == "in_sync"
    # Another token is taken at the next connect, without a restart.
    (homes.folder / "secrets" / "first" / "source_token").write_text("home-other", encoding="utf-8")
    homes.played.obey("cut first")
    wait_until(lambda: homes.played.obey("clients other")["clients"] == 1, "the new token is used")
    assert homes.service is not None
    code, said = homes.service.stop()
    assert code == 0
    sites = {json.loads(line).get("site") for line in said.splitlines() if '"status changed"' in line}
    assert sites == {"first", "second"}


def test_a_folder_that_is_not_there_ends_the_start(homes: Homes) -> None:
    (homes.folder / "sites.d").rmdir()
    ended = subprocess.run(
        [sys.executable, "-m", "engine", "serve"],
        cwd=homes.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert "sites.directory" in ended.stderr


def test_a_single_home_loads_nothing_of_many() -> None:
    ask = (
        "import sys, engine.commandline.verbs.service.serve, engine.composition.serving;"
        " print([name for name in sys.modules if name.startswith(('engine.sites', 'api.sites'))])"
    )
    done = subprocess.run([sys.executable, "-c", ask], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("argv", "environ", "said"),
    [
        (("--shard", "1/2"), {}, "Leave out one of them"),
        (("--config", "alone.toml"), {}, "Set sites.directory"),
        ((), {"RECONCILE_FLEET__BROKERS": "one/prefix"}, "fleet.brokers names more than brokers"),
        ((), {"RECONCILE_FLEET__BROKERS": "one:port"}, "fleet.brokers has a broker that is not HOST:PORT"),
    ],
)
def test_settings_of_a_fleet_that_do_not_fit_end_the_start(
    homes: Homes, argv: tuple[str, ...], environ: dict[str, str], said: str
) -> None:
    (homes.folder / "alone.toml").write_text('[source]\nuri = "storage:."\n', encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, "-m", "engine", "serve", *argv],
        cwd=homes.folder,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT), "RECONCILE_FLEET__BROKERS": "127.0.0.1:9", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert said in ended.stderr
