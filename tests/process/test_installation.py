"""How the client of Kafka is added to each kind of installation."""

import re
import tomllib
from pathlib import Path

import pytest

from engine.process.installation import KAFKA_CLIENT, how_to_add_kafka

ROOT = Path(__file__).parents[2]
GLIBC = ("glibc", "2.36")


def with_pip(environment: Path, packages: str = "lib/python3.13/site-packages") -> Path:
    (environment / packages / "pip").mkdir(parents=True)
    return environment


def test_the_client_has_the_version_that_the_project_requires() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["optional-dependencies"]["kafka"] == [KAFKA_CLIENT]


def test_in_the_environment_of_the_checkouts_script_the_script_installs_it(tmp_path: Path) -> None:
    hint = how_to_add_kafka(with_pip(tmp_path / ".venv-run"), tmp_path, GLIBC)
    assert hint == "Install it once with: HA_RECONCILE_EXTRA=kafka sh ops/run version"


def test_what_pipx_installed_pipx_adds_to(tmp_path: Path) -> None:
    environment = tmp_path / "venvs" / "ha-reconcile"
    environment.mkdir(parents=True)
    (environment / "pipx_metadata.json").touch()
    hint = how_to_add_kafka(environment, tmp_path, GLIBC)
    assert hint == f"Install it with: pipx inject ha-reconcile '{KAFKA_CLIENT}'"


@pytest.mark.parametrize("packages", ["lib/python3.13/site-packages", "lib/python3/dist-packages"])
def test_an_environment_with_pip_is_named(tmp_path: Path, packages: str) -> None:
    environment = with_pip(tmp_path / "an environment", packages)
    hint = how_to_add_kafka(environment, tmp_path, GLIBC)
    assert hint == f"Install it with: '{environment}/bin/python3' -m pip install '{KAFKA_CLIENT}'"


def test_one_without_pip_was_made_by_uv(tmp_path: Path) -> None:
    hint = how_to_add_kafka(tmp_path / "env", tmp_path, GLIBC)
    assert hint == f"Install it with: uv pip install --python {tmp_path}/env/bin/python3 '{KAFKA_CLIENT}'"


def test_the_home_assistant_app_keeps_none(tmp_path: Path) -> None:
    (tmp_path / "run.py").touch()
    hint = how_to_add_kafka(with_pip(tmp_path / "venv"), tmp_path, GLIBC)
    assert hint == "The Home Assistant app keeps no Kafka: run the image of ops/Dockerfile, which can."


@pytest.mark.parametrize(
    "libc", [("", ""), ("musl", "1.2.5"), ("glibc", "2.27"), ("glibc", "2"), ("glibc", "")]
)
def test_without_a_wheel_for_the_system_no_command_is_promised(tmp_path: Path, libc: tuple[str, str]) -> None:
    hint = how_to_add_kafka(with_pip(tmp_path / ".venv-run"), tmp_path, libc)
    assert hint == "Its wheels need glibc 2.28 or later: run the image of ops/Dockerfile, which has it."


def test_the_hint_covers_the_test_environment() -> None:
    assert re.search(r"^Install it .* '?confluent-kafka|^Its wheels", how_to_add_kafka())
