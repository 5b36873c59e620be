"""The influxd 1.8 that tests talk to: the generation that people have, built once by Go from its module.

`python -m tests.real.influxd` builds it (about a minute) and prints where it is. Debian's own package is 1.6.7, which
the tests use as well; 1.8 is the one with Flux, so that wire v2 meets a real server where there is no 2.x.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "1.8.10"
MODULE = f"github.com/influxdata/influxdb/cmd/influxd@v{VERSION}"
PLACE = Path(__file__).resolve().parents[2] / ".cache" / f"influxd-{VERSION}"
PLACE_VARIABLE = "RECONCILE_TEST_INFLUXD1"
BUILD_SECONDS_MAX = 1800


class InfluxdMissingError(Exception):
    """There is no such influxd; the text says how to get one."""


def find_built() -> Path:
    """The influxd 1.8: the one that the environment names, or the one that was built. Raises InfluxdMissingError."""
    named = os.environ.get(PLACE_VARIABLE)
    found = Path(named) if named else PLACE / "influxd"
    if found.is_file():
        return found
    if _go() is None:
        raise InfluxdMissingError(f"no InfluxDB {VERSION}: no Go to build it with")
    raise InfluxdMissingError(
        f"no InfluxDB {VERSION}: run `python -m tests.real.influxd`, or name one in {PLACE_VARIABLE}"
    )


def build() -> Path:
    """Build it unless it is there. Raises InfluxdMissingError without Go, subprocess.CalledProcessError when it fails."""
    go = _go()
    try:
        return find_built()
    except InfluxdMissingError:
        if go is None:
            raise
    PLACE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE.parent) as folder:
        environment = os.environ | {"GOBIN": folder}
        # A build from a module does not know its version, and a server says which it is.
        command = [go, "install", "-ldflags", f"-X main.version={VERSION}", MODULE]
        subprocess.run(command, env=environment, check=True, timeout=BUILD_SECONDS_MAX)
        PLACE.mkdir(exist_ok=True)
        (Path(folder) / "influxd").replace(PLACE / "influxd")  # at once: two builds at one time end alike
    return PLACE / "influxd"


def _go() -> str | None:
    # Where Go's own installation puts it, which is not always on PATH.
    return shutil.which("go") or shutil.which("/usr/local/go/bin/go")


if __name__ == "__main__":
    try:
        print(build())
    except InfluxdMissingError as missing:
        sys.exit(str(missing))
