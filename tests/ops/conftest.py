"""What the tests of `ops/` share: images without Docker, and a core to follow."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from tests.availability import skip_or_fail
from tests.fakes.home_assistant import FakeHomeAssistant, fake_home_assistant
from tests.ops.image import Image, StepFailedError, build, sent_to_builder
from tests.ops.programs import OPS, ROOT, pack_app
from tests.sources.recorded_homes import DATA, fake_answers


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
