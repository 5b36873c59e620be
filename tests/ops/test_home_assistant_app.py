"""ops/home-assistant-app: by the Supervisor's rules, then packed, built and run as the Supervisor would.

The rules are those of the Supervisor of 2026-08-21 (supervisor/apps/validate.py and options.py, store/data.py, utils/apparmor.py).
"""

import json
import os
import re
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine import __version__
from engine.settings.sections import SECRETS, SETTING_NAMES, HttpSettings
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant
from tests.ops.image import Image
from tests.ops.programs import OPS, pack_app, run, tool
from tests.service_process import Service, poll

REPOSITORY = OPS / "home-assistant-app"
APP = REPOSITORY / "ha-reconcile"
# The keys used here, and the form the Supervisor wants. A key it does not know it drops without a word.
RULES: dict[str, Any] = {
    "name": r".+",
    "version": re.escape(__version__),
    "slug": r"[-_.A-Za-z0-9]+",
    "description": r".+",
    "homeassistant": r"\d{4}\.\d+\.\d+",
    "stage": r"stable|experimental|deprecated",
    "startup": r"initialize|system|services|application|once",
    "panel_icon": r"mdi:[a-z-]+",
    "panel_title": r".+",
    "watchdog": r"(?:https?|\[PROTO:\w+\]|tcp):\/\/\[HOST\]:(\[PORT:\d+\]|\d+).*",
    "backup": r"hot|cold",
    "homeassistant_api": bool,
    "ingress": bool,
    "ingress_stream": bool,
    "tmpfs": bool,
    "ingress_port": int,
    "arch": list,
    "map": list,
    "ports": dict,
    "options": dict,
    "schema": dict,
}
OPTION = re.compile(
    r"(?:|bool|email|url|port|(?:str|password)(?:\(\d*,\d*\))?|int(?:\(-?\d*,-?\d*\))?|match\((?P<match>.*)\)|list\((?P<list>.+)\))\??"
)


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture
def config() -> Any:
    return read_yaml(APP / "config.yaml")


def test_its_configuration_is_what_the_supervisor_takes(config: Any) -> None:
    assert config.keys() == RULES.keys()
    for key, rule in RULES.items():
        if isinstance(rule, str):
            assert isinstance(config[key], str), key
            assert re.fullmatch(rule, config[key]), key
        else:
            assert type(config[key]) is rule, key
    assert set(config["arch"]) == {"aarch64", "amd64"}
    assert config["map"] == ["app_config:rw", "share:rw"]
    assert all(OPTION.fullmatch(form) for form in config["schema"].values())


def test_it_asks_for_nothing_but_home_assistants_api(config: Any) -> None:
    """The Supervisor's rating is then 8 of 8: own AppArmor profile, ingress, no privilege."""
    granting = {
        "hassio_api",
        "auth_api",
        "docker_api",
        "host_network",
        "host_pid",
        "privileged",
        "full_access",
    }
    assert config["homeassistant_api"]
    assert not granting & config.keys()
    assert set(config["ports"].values()) == {None}


def test_its_default_options_are_allowed_and_each_has_a_name_in_english(config: Any) -> None:
    for name, value in config["options"].items():
        form = OPTION.fullmatch(config["schema"][name])
        assert form
        assert value in form["list"].split("|")
    required = {name for name, form in config["schema"].items() if not form.endswith("?")}
    assert required == set(config["options"])
    translations = read_yaml(APP / "translations" / "en.yaml")
    assert translations["configuration"].keys() == config["schema"].keys()
    assert all(texts.keys() == {"name", "description"} for texts in translations["configuration"].values())
    assert translations["network"].keys() == config["ports"].keys()


def test_ingress_watchdog_and_port_mean_the_address_the_service_listens_on(config: Any) -> None:
    port = HttpSettings().port
    assert config["ingress_port"] == port
    assert config["watchdog"] == f"http://[HOST]:[PORT:{port}]/healthz"
    assert set(config["ports"]) == {f"{port}/tcp"}


def test_every_option_is_a_setting(config: Any) -> None:
    run = (APP / "run.py").read_text(encoding="utf-8")
    variables = dict(re.findall(r'"(\w+)": "(RECONCILE_\w+)"', run))
    # One says where a file is, which differs from folder to folder.
    assert variables.keys() | {"database"} == config["schema"].keys()
    assert "database" not in variables
    names = {name.removeprefix("RECONCILE_").lower().replace("__", ".") for name in variables.values()}
    assert names <= {*SETTING_NAMES, *SECRETS}


def test_the_store_finds_one_app_and_shows_it() -> None:
    found = [path for path in REPOSITORY.rglob("config.*") if path.suffix in (".json", ".yaml", ".yml")]
    assert found == [APP / "config.yaml"]
    assert read_yaml(REPOSITORY / "repository.yaml").keys() <= {"name", "url", "maintainer"}
    assert {path.name for path in APP.glob("*.md")} == {"DOCS.md", "README.md"}
    assert not (APP / "build.yaml").exists(), "gone since 2026.04"


@pytest.mark.parametrize(("name", "size"), [("icon.png", (128, 128)), ("logo.png", (250, 100))])
def test_its_pictures_have_the_sizes_the_store_wants(name: str, size: tuple[int, int]) -> None:
    content = (APP / name).read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == size


def test_apparmor_takes_the_profile_under_the_name_the_supervisor_gives_it(tmp_path: Path) -> None:
    parser = tool("apparmor_parser", "Debian's package `apparmor`")
    text = (APP / "apparmor.txt").read_text(encoding="utf-8")
    (name,) = re.findall(r"(?m)^profile ([^ ]+).*$", text)
    assert name == read_yaml(APP / "config.yaml")["slug"]
    profile = tmp_path / "profile"
    profile.write_text(text.replace(f"profile {name} ", f"profile 4f7c2e1a_{name} ", 1))
    done = run(parser, "--skip-kernel-load", "--skip-cache", "--names", profile)
    assert (done.returncode, done.stdout.split()) == (0, [f"4f7c2e1a_{name}"]), done.stderr
    checked = run(parser, "--skip-kernel-load", "--skip-cache", profile)
    assert checked.returncode == 0, checked.stderr


def test_packed_it_has_all_that_the_store_shows_and_nothing_of_its_making(tmp_path: Path) -> None:
    assert pack_app(tmp_path / "packed").returncode == 0
    assert {path.name for path in (tmp_path / "packed").iterdir()} == {
        "README.md",
        "ha-reconcile",
        "repository.yaml",
        "screenshots",
    }
    app = tmp_path / "packed" / "ha-reconcile"
    assert {path.name for path in app.glob("*.md")} == {"CHANGELOG.md", "DOCS.md", "README.md"}
    assert not list(app.rglob("__pycache__"))
    assert pack_app(tmp_path / "packed").returncode == 73


def test_packing_says_what_is_wrong(tmp_path: Path) -> None:
    there = pack_app(tmp_path)
    assert (there.returncode, there.stdout) == (73, "")
    assert str(tmp_path) in there.stderr
    assert list(tmp_path.iterdir()) == []


def started(image: Image) -> list[str]:
    """The command line of a container. What the user that root becomes may not enter is the test's folder, not the image:
    where the test is root, that one permission is kept.
    """
    keep = [
        "setpriv",
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_override",
        "--ambient-caps=+dac_override",
    ]
    return [*(keep if os.geteuid() == 0 else ()), *image.argv]


def run_app(image: Image, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = started(image)
    return subprocess.run(
        command, env=environ, cwd=image.folder, capture_output=True, text=True, timeout=240, check=False
    )


def options(image: Image, **chosen: object) -> dict[str, str]:
    """Puts the options where the Supervisor does; returns a container's environment."""
    for name in ("data", "config", "share"):
        (image.root / name).mkdir(exist_ok=True)
    (image.root / "config" / "reconcile.toml").unlink(missing_ok=True)
    written = {**read_yaml(APP / "config.yaml")["options"], **chosen}
    (image.root / "data" / "options.json").write_text(json.dumps(written))
    return {**image.environment, "SUPERVISOR_TOKEN": TOKEN, "RECONCILE_HTTP__PORT": "0"}


@pytest.mark.long
@pytest.mark.slow
def test_it_follows_the_core_with_the_supervisors_token(
    app_image: Image, core: FakeHomeAssistant, services: list[Service]
) -> None:
    # A container knows the host `supervisor`; here, the address says where it is.
    environ = {
        **options(app_image, site="cabin", api_token="very-secret", records=""),
        "RECONCILE_SOURCE__URI": core.uri,
    }
    services.append(Service.started_by(started(app_image), app_image.folder, environ))
    port = services[0].wait_until_serving().rpartition(":")[2]
    status = poll(f"http://127.0.0.1:{port}", "/api/status", "in_sync", "very-secret")
    assert status["site"] == "cabin"
    assert core.logins_failed == 0
    if os.geteuid() == 0:
        process = Path(f"/proc/{services[0].process.pid}/status").read_text(encoding="utf-8")
        assert re.search(r"(?m)^Uid:\t10001\t10001\t10001\t10001$", process)
    assert services[0].stop()[0] == 0
    assert {path.name for path in app_image.folder.glob("*.db")} == {"home.db", "history.db"}


@pytest.mark.long
@pytest.mark.slow
def test_no_option_has_to_be_set(app_image: Image, core: FakeHomeAssistant, services: list[Service]) -> None:
    environ = {**options(app_image), "RECONCILE_SOURCE__URI": core.uri}
    services.append(Service.started_by(started(app_image), app_image.folder, environ))
    port = services[0].wait_until_serving().rpartition(":")[2]
    assert poll(f"http://127.0.0.1:{port}", "/api/status", "in_sync")["site"] == "home"
    assert services[0].stop()[0] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_nothing_of_root_is_left(tmp_path: Path) -> None:
    program = (
        f"import sys; sys.path.insert(0, {str(APP)!r}); import run; run.become_user(); "
        "print(open('/proc/self/status').read())"
    )
    done = run(sys.executable, "-c", program)
    status = {
        name: value.split() for name, _, value in (line.partition(":") for line in done.stdout.splitlines())
    }
    assert (status["Uid"], status["Gid"], status["Groups"]) == (["10001"] * 4, ["10001"] * 4, [])
    assert {int(status[name][0], 16) for name in ("CapPrm", "CapEff", "CapAmb")} == {0}


@pytest.mark.long
@pytest.mark.slow
def test_the_settings_file_and_the_supervisor_are_heeded_and_the_options_win(
    app_image: Image, tmp_path: Path
) -> None:
    environ = options(app_image, mode="observe")
    (app_image.root / "config" / "reconcile.toml").write_text(
        '[plan]\nmode = "enforce"\ndelete_count_max = 7\n'
    )
    # The program that the run script would start, made to show its settings instead.
    shown = tmp_path / "reconcile"
    shown.write_text("#!/bin/sh\nPATH=${PATH#*:} exec reconcile config show\n")
    shown.chmod(0o755)
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    done = run_app(app_image, environ)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "ws://supervisor/core/websocket" in lines["source.uri"]
    assert "observe" in lines["plan.mode"]
    assert "7" in lines["plan.delete_count_max"]
    assert "172.30.32.2" in lines["http.trusted_peers"]
    assert TOKEN not in done.stdout


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "said"),
    [("{", "cannot be read"), ("[]", "no object"), ('{"colour": "red"}', "colour")],
)
def test_bad_options_are_one_clear_error(app_image: Image, written: str, said: str) -> None:
    environ = options(app_image)
    (app_image.root / "data" / "options.json").write_text(written)
    done = run_app(app_image, environ)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (78, "", 1)
    assert said in done.stderr


@pytest.mark.long
@pytest.mark.slow
def test_the_deletes_to_allow_are_a_setting(app_image: Image, tmp_path: Path) -> None:
    shown = tmp_path / "reconcile"
    shown.write_text("#!/bin/sh\nPATH=${PATH#*:} exec reconcile config show\n")
    shown.chmod(0o755)
    environ = options(app_image, allow_deletes="73-5f0c2a9d1e, 4-0123456789")
    environ["PATH"] = f"{tmp_path}:{environ['PATH']}"
    done = run_app(app_image, environ)
    assert done.returncode == 0, done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("plan.allow_deletes")]
    assert "73-5f0c2a9d1e" in line
    assert "4-0123456789" in line
