"""ops/compose.yaml: valid by Compose's own schema, and saying nothing that the program or the folder does not know."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.settings.layers import load_settings
from engine.settings.sections import SECRETS, SETTING_NAMES
from tests.ops.programs import OPS, run, tool

COMPOSE = OPS / "compose.yaml"
GIVEN = {"RECONCILE_SOURCE__URI": "ws://192.168.1.10:8123"}


def interpolated(text: str, variables: dict[str, str]) -> str:
    """What Compose makes of ${NAME:-default} and ${NAME:?message}."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        assert name in variables or kind == ":-", f"{name} must be given: {rest}"
        return variables.get(name, rest)

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text)


@pytest.fixture
def compose() -> Any:
    return yaml.safe_load(interpolated(COMPOSE.read_text(encoding="utf-8"), GIVEN))


def test_the_compose_specification_has_nothing_to_say() -> None:
    check = tool("check-jsonschema", "check-jsonschema from PyPI")
    done = run(check, "--builtin-schema", "vendor.compose-spec", COMPOSE)
    assert done.returncode == 0, done.stdout


def test_without_knowing_where_home_assistant_is_nothing_starts() -> None:
    with pytest.raises(AssertionError, match=r"RECONCILE_SOURCE__URI must be given: say in ops/\.env where"):
        interpolated(COMPOSE.read_text(encoding="utf-8"), {})


def test_the_services_environment_is_made_of_settings_it_accepts(compose: Any, tmp_path: Path) -> None:
    environment = compose["services"]["reconcile"]["environment"]
    names = {name.removeprefix("RECONCILE_").lower().replace("__", ".") for name in environment}
    assert names <= set(SETTING_NAMES)
    settings = load_settings({}, environment, None, tmp_path).settings
    assert settings.source.uri == GIVEN["RECONCILE_SOURCE__URI"]
    assert settings.records.uri == "history:/data/history.db"


def test_the_services_secrets_are_found_by_their_names(compose: Any) -> None:
    assert {name.replace(".", "_") for name in SECRETS} >= set(compose["services"]["reconcile"]["secrets"])
    used = {name for service in compose["services"].values() for name in service.get("secrets", ())}
    assert used == set(compose["secrets"])
    assert compose["secrets"]["records_token"]["file"] == "/dev/null"


def test_a_secret_that_is_no_regular_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "records_token").symlink_to("/dev/null")
    loaded = load_settings({}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, None, tmp_path)
    assert not loaded.records_token


def test_every_file_it_names_is_there(compose: Any) -> None:
    build = compose["services"]["reconcile"]["build"]
    assert (OPS / build["context"] / build["dockerfile"]).is_file()
    mounts = [
        volume.split(":") for service in compose["services"].values() for volume in service.get("volumes", ())
    ]
    assert [m for m in mounts if m[0].startswith(".") and not (OPS / m[0]).exists()] == []
    assert {m[0] for m in mounts if not m[0].startswith(".")} == set(compose["volumes"])


def test_nothing_is_open_to_other_machines_and_nothing_gains_rights(compose: Any) -> None:
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service["ports"]), name
        assert service["security_opt"] == ["no-new-privileges:true"], name
    ours = compose["services"]["reconcile"]
    assert (ours["read_only"], ours["cap_drop"]) == (True, ["ALL"])


def test_only_the_service_itself_runs_unless_a_profile_is_asked_for(compose: Any) -> None:
    assert {name: service.get("profiles") for name, service in compose["services"].items()} == {
        "reconcile": None,
        "influxdb": ["influxdb"],
        "prometheus": ["monitoring"],
        "grafana": ["monitoring"],
    }
    versions = [
        service["image"].partition(":")[2]
        for name, service in compose["services"].items()
        if "profiles" in service
    ]
    assert all(re.search(r"\d+\.\d+", version) for version in versions), "a release, not whatever is newest"
