"""ops/compose.yaml: valid by Compose's own schema, and saying nothing that the program or the folder does not know."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.commandline.arguments.parser import parse
from engine.errors import SettingsError
from engine.replicas.kafka.address import parse_address
from engine.settings.layers import load_settings, merge_layers, settings_layers
from engine.settings.sections import SECRETS, SETTING_NAMES, Settings
from engine.settings.stores import fleet_uri
from engine.sites.files import SiteFiles
from tests.ops.programs import OPS, run, tool

COMPOSE = OPS / "compose.yaml"
HOMES = OPS / "compose.homes.yaml"  # many homes in one service
EACH = pytest.mark.parametrize("file", [COMPOSE, HOMES], ids=lambda file: str(file.stem))
GIVEN = {"RECONCILE_SOURCE__URI": "ws://192.168.1.10:8123"}


def interpolated(text: str, variables: dict[str, str]) -> str:
    """What Compose makes of ${NAME:-default} and ${NAME:?message}."""

    def value(match: re.Match[str]) -> str:
        name, kind, rest = match.groups()
        assert name in variables or kind == ":-", f"{name} must be given: {rest}"
        return variables.get(name, rest)

    return re.sub(r"\$\{(\w+)(:[-?])([^}]*)\}", value, text)


def load(file: Path) -> Any:
    return yaml.safe_load(interpolated(file.read_text(encoding="utf-8"), GIVEN))


@pytest.fixture
def compose() -> Any:
    return load(COMPOSE)


@EACH
def test_the_compose_specification_has_nothing_to_say(file: Path) -> None:
    check = tool("check-jsonschema", "check-jsonschema from PyPI")
    done = run(check, "--builtin-schema", "vendor.compose-spec", file)
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


def test_the_service_of_many_homes_keeps_those_of_its_folder(tmp_path: Path) -> None:
    ours = load(HOMES)["services"]["reconcile"]
    image = {"RECONCILE_ROWS__FILE": "/data/home.db", "RECONCILE_RECORDS__URI": "history:/data/history.db"}
    environment = {**image, **ours["environment"]}
    settings = load_settings({}, environment, None, tmp_path).settings
    mounted = {volume.split(":")[1]: volume.split(":")[0] for volume in ours["volumes"]}
    assert mounted == {"/homes": "./homes", "/data": "data"}
    assert settings.sites.directory.startswith("/homes/")
    assert settings.sites.secrets.startswith("/homes/")
    assert settings.sites.state.startswith("/data/")
    # Each home has its own stores, regardless of the image's settings for a single one.
    folder = tmp_path / "homes" / "sites.d"
    folder.mkdir(parents=True)
    (folder / "mill.toml").write_text('[source]\nuri = "ws://10.8.0.4:8123"\n')
    (tmp_path / "homes" / "secrets" / "mill").mkdir(parents=True)
    (tmp_path / "homes" / "secrets" / "mill" / "source_token").write_text("token")
    here = {
        name: value.replace("/homes/", f"{tmp_path}/homes/").replace("/data/", f"{tmp_path}/data/")
        for name, value in environment.items()
    }
    layers = settings_layers({}, here, None, tmp_path)
    found = SiteFiles(merge_layers(layers, here)[0].sites, layers, here).read()["mill"]
    assert found.error is None
    assert found.loaded
    assert found.loaded.settings.rows.file == f"{tmp_path}/data/sites/mill/rows.db"
    assert found.loaded.settings.records.uri == f"history:{tmp_path}/data/sites/mill/history.db"
    assert found.loaded.token.reveal() == "token"


def of_a_fleet(service: str, variables: dict[str, str], folder: Path) -> Settings:
    compose = yaml.safe_load(interpolated(HOMES.read_text(encoding="utf-8"), GIVEN | variables))
    return load_settings({}, compose["services"][service]["environment"], None, folder).settings


def test_two_services_share_the_homes_of_a_fleet(tmp_path: Path) -> None:
    first, second = (load(HOMES)["services"][name] for name in ("reconcile", "reconcile-2"))
    assert (first.get("profiles"), second["profiles"]) == (None, ["fleet"])
    assert not {*first["ports"]} & {*second["ports"]}
    own = {volume for volume in first["volumes"] if volume.endswith(":/data")}
    assert own & {*second["volumes"]} == set()
    assert {*first["volumes"]} - own < {*second["volumes"]}
    differing = {name for name in second if second[name] != first.get(name)}
    assert differing == {"profiles", "environment", "volumes", "ports"}
    given = {"FLEET_BROKERS": "kafka:9092?replicas=1"}
    both = [of_a_fleet(name, given, tmp_path) for name in ("reconcile", "reconcile-2")]
    for settings in both:
        address = parse_address(fleet_uri(settings.fleet))
        assert (address.servers, address.replicas) == (("kafka:9092",), 1)
        assert settings.sites == both[0].sites


def test_a_second_service_without_brokers_is_refused_instead_of_keeping_all_homes_again(
    tmp_path: Path,
) -> None:
    assert not of_a_fleet("reconcile", {}, tmp_path).fleet.brokers
    for service in ("reconcile-2", "view"):
        with pytest.raises(SettingsError, match=r"not HOST:PORT: 'set FLEET_BROKERS in \.env'"):
            parse_address(fleet_uri(of_a_fleet(service, {}, tmp_path).fleet), "fleet.brokers")


def test_the_view_of_a_fleet_has_its_kafka_and_no_home(tmp_path: Path) -> None:
    view = load(HOMES)["services"]["view"]
    assert parse(view["command"]).fleet_command == "view"
    settings = of_a_fleet("view", {"FLEET_BROKERS": "kafka:9092?replicas=1"}, tmp_path)
    assert settings.fleet.view_file.startswith("/data/")
    assert not settings.sites.directory
    assert view["secrets"] == ["http_token"]


@EACH
def test_prometheus_has_all_rules_that_its_configuration_names(file: Path) -> None:
    mounted = [
        volume.split(":")[0].rpartition("/")[2]
        for volume in load(file)["services"]["prometheus"]["volumes"]
        if volume.startswith("./prometheus/")
    ]
    text = (OPS / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    assert mounted == ["prometheus.yml", *yaml.safe_load(text)["rule_files"]]


@EACH
def test_the_services_secrets_are_found_by_their_names(file: Path) -> None:
    compose = load(file)
    assert {name.replace(".", "_") for name in SECRETS} >= set(compose["services"]["reconcile"]["secrets"])
    used = {name for service in compose["services"].values() for name in service.get("secrets", ())}
    assert used == set(compose["secrets"])
    assert compose["secrets"]["records_token"]["file"] == "/dev/null"


def test_a_secret_that_is_no_regular_file_is_none(tmp_path: Path) -> None:
    (tmp_path / "records_token").symlink_to("/dev/null")
    loaded = load_settings({}, {"CREDENTIALS_DIRECTORY": str(tmp_path)}, None, tmp_path)
    assert not loaded.records_token


@EACH
def test_every_file_it_names_is_there(file: Path) -> None:
    compose = load(file)
    build = compose["services"]["reconcile"]["build"]
    assert (OPS / build["context"] / build["dockerfile"]).is_file()
    mounts = [
        volume.split(":") for service in compose["services"].values() for volume in service.get("volumes", ())
    ]
    made_by_people = {"./homes"}
    named = [m[0] for m in mounts if m[0].startswith(".") and m[0] not in made_by_people]
    assert [name for name in named if not (OPS / name).exists()] == []
    assert {m[0] for m in mounts if not m[0].startswith(".")} == set(compose["volumes"])


@EACH
def test_nothing_is_open_to_other_machines_and_nothing_gains_rights(file: Path) -> None:
    compose = load(file)
    for name, service in compose["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
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
    assert all(re.search(r"\d+\.\d+", version) for version in versions), "a fixed release, not the newest"
