"""What the tests of `ops/` share: the files as their readers see them, images without Docker, a core to follow."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from tests.fakes.home_assistant import FakeHomeAssistant, fake_home_assistant
from tests.ops.image import Image, StepFailedError, build, sent_to_builder
from tests.real.conftest import skip_or_fail
from tests.sources.recorded_homes import DATA, fake_answers

ROOT = Path(__file__).parents[2]
OPS = ROOT / "ops"


def tool(name: str, where_from: str) -> str:
    """The path of a program that judges a file; without it the test is skipped, or fails in CI."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        skip_or_fail(f"no {name}: install {where_from}")
    return found


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Runs a program to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)


def pack_app(directory: Path) -> subprocess.CompletedProcess[str]:
    """Runs ops/pack-app."""
    return run("/bin/sh", OPS / "pack-app", directory)


@pytest.fixture(scope="session")
def service_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """ops/Dockerfile, carried out from what the checkout sends to the builder."""
    folder = tmp_path_factory.mktemp("service")
    ignore = (OPS / "Dockerfile.dockerignore").read_text(encoding="utf-8")
    sent_to_builder(ROOT, ignore, folder / "context")
    return _built(OPS / "Dockerfile", folder / "context", folder / "image")


@pytest.fixture(scope="session")
def app_image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The app's Dockerfile, carried out in a packed app repository."""
    folder = tmp_path_factory.mktemp("app")
    packed = pack_app(folder / "repository")
    assert packed.returncode == 0, packed.stderr
    app = folder / "repository" / "ha-reconcile"
    return _built(app / "Dockerfile", app, folder / "image")


def _built(dockerfile: Path, context: Path, root: Path) -> Image:
    try:
        return build(dockerfile, context, root)
    except StepFailedError as error:
        if "package source" in str(error):  # what ops/environment.py says when nothing could be installed
            skip_or_fail(str(error))
        raise


@pytest.fixture
def core() -> Iterator[FakeHomeAssistant]:
    """A core with a recorded home, which runs in a thread of its own."""
    answers = fake_answers(DATA / "2026.11.0" / "rich")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(fake_home_assistant(answers)) as fake,
    ):
        yield fake
