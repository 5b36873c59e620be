"""Keeps the stores of this release in tests/data, for the tests of every later one: `python -m tests.upgrades.make_stores`.

Run once for a release, when its version is set; what an earlier release left is never made again.
"""

import gzip
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from engine import __version__
from engine.replicas.influx.outbox import open_outbox
from tests.commandline.homes import DATA, RICH

BATCH = b'ha_device,id=x hash="h1:0" 1\n'
SAID = f"""Stores as release {__version__} left them: the recorded home `2026.11.0/rich` mirrored into `rows.db` and `history.db`, then once more
with the area `living_room` called "Old kitchen name" and the area `garten` not listed (so it was missed for the first time).
`outbox.db` holds one batch for InfluxDB that was never confirmed. Every later release opens these; add a folder per release.
"""


def main() -> None:
    """Write the folder of this release; it must not be there."""
    kept = DATA.parent / f"stores-{__version__}"
    kept.mkdir()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        mirror(RICH, work)
        mirror(changed_home(work / "home"), work)
        outbox = open_outbox("influxdb", work / "outbox.db")
        outbox.put("influxdb", BATCH)
        outbox.close()
        for name in ("rows.db", "history.db", "outbox.db"):
            packed = gzip.compress((work / name).read_bytes(), mtime=0)
            (kept / f"{name}.gz").write_bytes(packed)
    (kept / "README.md").write_text(SAID, encoding="utf-8")
    print(kept)


def mirror(home: Path, folder: Path) -> None:
    """One pass, as a user makes it."""
    stores = ("--rows", folder / "rows.db", "--records", f"history:{folder / 'history.db'}")
    command = (sys.executable, "-m", "engine", "--config", "/dev/null", "--quiet")
    subprocess.run([*command, "--source", f"capture:{home}", *stores], check=True)


def changed_home(folder: Path) -> Path:
    """The home with one area renamed and one gone."""
    shutil.copytree(RICH, folder)
    file = folder / "area_registry_list.json"
    answer = json.loads(file.read_text(encoding="utf-8"))
    answer["result"] = [row for row in answer["result"] if row["area_id"] != "garten"]
    for row in answer["result"]:
        if row["area_id"] == "living_room":
            row["name"] = "Old kitchen name"
    file.write_text(json.dumps(answer), encoding="utf-8")
    return folder


if __name__ == "__main__":
    main()
