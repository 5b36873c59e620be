"""What tests of the InfluxDB replica share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.influx_stand import Stand


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    made = Stand(tmp_path)
    yield made
    made.rows.close()
    made.outbox.close()
