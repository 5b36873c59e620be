"""An empty history file, and rows that keep its ledger."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.replicas.history.replica import HistoryFile, open_history
from engine.replicas.rows.replica import SqliteRows, open_rows


@pytest.fixture
def history(tmp_path: Path) -> Iterator[HistoryFile]:
    made = open_history(tmp_path / "history.db", busy_timeout_seconds=0)
    yield made
    made.close()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[SqliteRows]:
    made = open_rows(tmp_path / "rows.db")
    yield made
    made.close()
