"""One service per store, told apart by process; a dead one holds nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.store_lock import hold_store

HOLD = """
import sys
from pathlib import Path
from engine.store_lock import hold_store
with hold_store(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_second_service_is_refused_by_the_first_ones_name(tmp_path: Path) -> None:
    rows = tmp_path / "rows.db"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(rows)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    try:
        with pytest.raises(SettingsError, match=f"process {holder.pid}"), hold_store(rows):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with hold_store(rows):  # what a killed process held is free
        pass


def test_the_lock_is_private_and_the_store_is_not_made(tmp_path: Path) -> None:
    with hold_store(tmp_path / "new" / "rows.db"):
        (found,) = (tmp_path / "new").iterdir()
        assert found.stat().st_mode & 0o777 == 0o600


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"rows\.file"), hold_store(tmp_path / "file" / "rows.db"):
        pass
