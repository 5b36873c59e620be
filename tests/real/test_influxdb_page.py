"""The commands of docs/how-to/influxdb.md, with a server on another port, whose address names the wire to use."""

import re
from pathlib import Path

import pytest

from tests.real.influxdb import InfluxServer
from tests.test_readme_runs import Visitor, block_with

pytestmark = pytest.mark.real_server

PAGE = "docs/how-to/influxdb.md"


def test_the_commands_of_the_influxdb_page_keep_the_history_there(
    own_influxdb: InfluxServer, tmp_path: Path
) -> None:
    visitor = Visitor(tmp_path / "checkout")
    own_influxdb.query("CREATE DATABASE homes")
    (visitor.checkout / "influx-token").write_text("none-is-asked-for-here\n")
    visitor.type("export RECONCILE_SOURCE__URI=capture:ops/sample/home-2026.11 RECONCILE_ROWS__FILE=home.db")
    typed = block_with(PAGE, "reconcile doctor").replace("localhost:8086", f"127.0.0.1:{own_influxdb.port}")
    said = visitor.type(f"set -e\n{typed}\nreconcile\nreconcile drift")
    assert re.search(r"(?m)^ok +influxdb read: ", said), said
    assert "In sync: sqlite and influxdb equal Home Assistant (205 records)." in said
    assert own_influxdb.query("SHOW MEASUREMENTS ON homes")
