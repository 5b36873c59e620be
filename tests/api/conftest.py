"""One sample store for all tests that only read; its report says how it came about."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from engine.core.state.report import Report
from tests.api.serving import Api, api_over, write_sample


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Report]:
    path = tmp_path_factory.mktemp("sample") / "rows.db"
    return path, anyio.run(write_sample, path)


@pytest.fixture
def rows(sample: tuple[Path, Report], tmp_path: Path) -> Path:
    """A copy of the sample store that a test may change."""
    return Path(shutil.copy(sample[0], tmp_path / "rows.db"))


@pytest.fixture
async def api(sample: tuple[Path, Report]) -> AsyncIterator[Api]:
    async with api_over(*sample) as served:
        yield served
