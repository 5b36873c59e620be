"""`sh ops/run` and `sh ops/test`: from a fresh clone to the running program, in every way this can go wrong.

The scripts are the real ones, copied into a checkout with a space in its path. Instead of packages from a
network, a stand-in `uv` makes a real but empty environment and notes that it was called; the PATH holds
nothing but what the scripts may rely on.
"""

import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNAVAILABLE = 69
SECONDS_MAX = 120
# Of POSIX; a script that needs more fails here before it fails on a user's machine.
TOOLS = ("cat", "cksum", "dirname", "env", "grep", "mkdir", "sh")

PROGRAM = """\
import json, os, sys
def main() -> int:
    print(json.dumps({"arguments": sys.argv[1:], "directory": os.getcwd()}))
    return int(os.environ.get("STUB_EXIT_CODE", "0"))
"""
PYTEST = "import sys, os\nprint(sys.argv[1:], os.getcwd())\n"
UV = """\
#!/bin/sh
echo "$1" >>'{calls}'
for last; do :; done
case $1 in
    venv) exec '{python}' -I -m venv --without-pip "$last" ;;
    pip) {install} ;;
esac
"""


@dataclass
class Checkout:
    """A fresh clone and the machine around it."""

    directory: Path
    tools: Path
    home: Path
    calls: Path

    def environment(self, **variables: str) -> dict[str, str]:
        return {"PATH": str(self.tools), "HOME": str(self.home), **variables}

    def run(self, script: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/sh", self.directory / script, *arguments],
            env=self.environment(**variables),
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )

    def put_tool(self, name: str, text: str) -> Path:
        tool = self.tools / name
        tool.unlink(missing_ok=True)
        tool.write_text(text)
        tool.chmod(0o755)
        return tool

    def put_python(self, name: str, version: str) -> None:
        """An interpreter that prints its version and can do nothing else."""
        self.put_tool(name, f"#!/bin/sh\necho {version}\n")

    def put_uv(self, install: str = "exit 0") -> None:
        self.put_tool("uv", UV.format(calls=self.calls, python=sys.executable, install=install))

    def installs(self) -> int:
        """How often packages were installed so far."""
        return self.calls.read_text().split().count("pip") if self.calls.exists() else 0


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    directory, tools, home = tmp_path / "my clone", tmp_path / "bin", tmp_path / "home"
    for path in (directory / "engine", tools, home):
        path.mkdir(parents=True)
    shutil.copytree(ROOT / "ops", directory / "ops", ignore=shutil.ignore_patterns("sample", "__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "requirements-kafka.txt", "requirements-dev.txt"):
        shutil.copy(ROOT / name, directory)
    (directory / "engine/__init__.py").touch()
    (directory / "engine/__main__.py").write_text(PROGRAM)
    (directory / "pytest.py").write_text(PYTEST)
    for name in TOOLS:
        (tools / name).symlink_to(shutil.which(name) or name)
    checkout = Checkout(directory, tools, home, tmp_path / "calls")
    checkout.put_tool("python3", f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n")
    checkout.put_uv()
    return checkout


def test_arguments_arrive_as_they_were_given_and_the_directory_stays(checkout: Checkout) -> None:
    done = checkout.run("ops/run", "drift", "a b", "", "*", "--since=$HOME")
    assert done.returncode == 0, done.stderr
    assert '["drift", "a b", "", "*", "--since=$HOME"]' in done.stdout
    assert f'"directory": "{checkout.home}"' in done.stdout


def test_the_first_run_says_so_on_stderr_and_later_ones_say_nothing(checkout: Checkout) -> None:
    first, second = checkout.run("ops/run", "drift"), checkout.run("ops/run", "drift")
    assert first.stderr.startswith("Setting up (once)")
    assert second.stderr == ""
    assert first.stdout == second.stdout


def test_the_exit_code_of_the_program_is_passed_on(checkout: Checkout) -> None:
    assert checkout.run("ops/run", "drift", STUB_EXIT_CODE="3").returncode == 3


def test_a_second_run_installs_nothing_and_needs_neither_python_nor_uv(checkout: Checkout) -> None:
    checkout.run("ops/run", "drift")
    (checkout.tools / "python3").unlink()
    (checkout.tools / "uv").unlink()
    assert checkout.run("ops/run", "drift").returncode == 0
    assert checkout.installs() == 1


@pytest.mark.parametrize("name", ["requirements.txt", "ops/environment.py"])
def test_what_an_environment_is_made_of_renews_it_when_changed(checkout: Checkout, name: str) -> None:
    checkout.run("ops/run", "drift")
    with (checkout.directory / name).open("a") as file:
        file.write("# changed\n")
    assert checkout.run("ops/run", "drift").returncode == 0
    assert checkout.installs() == 2


def test_the_client_of_kafka_is_asked_for_once_and_stays(checkout: Checkout) -> None:
    checkout.put_uv(f"echo \"$last\" >>'{checkout.home}/locks'")
    checkout.run("ops/run", "drift")
    assert checkout.run("ops/run", "drift", HA_RECONCILE_EXTRA="kafka").returncode == 0
    assert checkout.run("ops/run", "drift").returncode == 0
    with (checkout.directory / "requirements-kafka.txt").open("a") as file:
        file.write("# an upgrade\n")
    checkout.run("ops/run", "drift")
    wanted = [Path(line).name for line in (checkout.home / "locks").read_text().splitlines()]
    assert wanted == ["requirements.txt", "requirements-kafka.txt", "requirements-kafka.txt"]


def test_an_extra_that_is_none_is_refused(checkout: Checkout) -> None:
    done = checkout.run("ops/run", "drift", HA_RECONCILE_EXTRA="kafak")
    assert done.returncode == UNAVAILABLE
    assert done.stderr == "HA_RECONCILE_EXTRA=kafak is no extra of this program; there is one, kafka.\n"
    assert checkout.installs() == 0


def test_a_moved_checkout_is_set_up_again(checkout: Checkout) -> None:
    checkout.run("ops/run", "drift")
    checkout.directory = checkout.directory.rename(checkout.directory.with_name("elsewhere"))
    assert checkout.run("ops/run", "drift").returncode == 0
    assert checkout.installs() == 2


def test_an_environment_whose_interpreter_is_gone_is_set_up_again(checkout: Checkout) -> None:
    checkout.run("ops/run", "drift")
    for link in (checkout.directory / ".venv-run/bin").glob("python*"):
        link.unlink()
    assert checkout.run("ops/run", "drift").returncode == 0
    assert checkout.installs() == 2


def test_the_tests_start_in_the_checkout_with_their_arguments(checkout: Checkout) -> None:
    done = checkout.run("ops/test", "-k", "one or two")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"['-k', 'one or two'] {checkout.directory}\n"


def test_the_tests_of_real_servers_run_when_they_are_asked_for(checkout: Checkout) -> None:
    quick, whole = checkout.run("ops/test"), checkout.run("ops/test", RECONCILE_TEST_REAL="1")
    assert (quick.returncode, whole.returncode) == (0, 0), quick.stderr + whole.stderr
    assert "'--hypothesis-profile', 'fast'" in quick.stdout
    assert "hypothesis" not in checkout.run("ops/test", RECONCILE_TEST_LONG="1").stdout
    assert "'not real_server and not optional_server', '--ignore', 'tests/real'" in quick.stdout
    assert (
        whole.stdout
        == f"['--numprocesses', 'auto', '--dist', 'loadgroup', '--max-worker-restart', '0'] {checkout.directory}\n"
    )


def test_nothing_is_written_outside_the_checkout(checkout: Checkout, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    checkout.run("ops/run", "drift")
    checkout.run("ops/test")
    assert set(tmp_path.iterdir()) - before == {checkout.calls}
    assert not list(checkout.home.iterdir())


def test_an_unset_home_is_no_hindrance(checkout: Checkout) -> None:
    done = subprocess.run(
        ["/bin/sh", checkout.directory / "ops/run", "drift"],
        env={"PATH": str(checkout.tools)},
        capture_output=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("version", ["2.7.18", "3.9.2", "3.10.13"])
def test_a_python_that_is_too_old_is_refused_with_the_way_out(checkout: Checkout, version: str) -> None:
    checkout.put_python("python3", version)
    done = checkout.run("ops/run", "drift")
    assert done.returncode == UNAVAILABLE
    assert f"python3 is {version}" in done.stderr
    assert "PYTHON=" in done.stderr


def test_a_newer_python_is_found_behind_an_old_one(checkout: Checkout) -> None:
    (checkout.tools / "python3").rename(checkout.tools / "python3.12")
    checkout.put_python("python3", "3.9.2")
    assert checkout.run("ops/run", "drift").returncode == 0


def test_no_python_at_all_is_said(checkout: Checkout) -> None:
    (checkout.tools / "python3").unlink()
    done = checkout.run("ops/run", "drift")
    assert done.returncode == UNAVAILABLE
    assert "PYTHON=" in done.stderr


def test_a_python_that_was_named_is_used_or_refused_never_replaced(checkout: Checkout) -> None:
    checkout.put_python("old", "3.10.1")
    for named in ("old", "missing"):
        done = checkout.run("ops/run", "drift", PYTHON=named)
        assert done.returncode == UNAVAILABLE
        assert f"PYTHON={named} is not a Python of at least 3.11" in done.stderr
    (checkout.tools / "python3").rename(checkout.tools / "good")
    assert checkout.run("ops/run", "drift", PYTHON="good").returncode == 0


@pytest.mark.long  # installs with pip
@pytest.mark.slow
def test_a_failed_installation_leaves_no_environment_and_says_why(checkout: Checkout) -> None:
    (checkout.tools / "uv").unlink()
    temporary = checkout.home.with_name("temporary")
    temporary.mkdir()
    done = checkout.run(
        "ops/run", "drift", PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull, TMPDIR=str(temporary)
    )
    assert done.returncode == UNAVAILABLE
    assert "No matching distribution found" in done.stderr
    assert "pip's own settings for a mirror or a proxy" in done.stderr
    assert not (checkout.directory / ".venv-run").exists()
    assert not list(temporary.iterdir())
    assert not list(checkout.home.iterdir())
    checkout.put_uv()
    assert checkout.run("ops/run", "drift").returncode == 0


@pytest.mark.long  # installs with pip
@pytest.mark.slow
def test_a_failing_uv_gives_way_to_pip(checkout: Checkout) -> None:
    checkout.put_uv("exit 2")
    (checkout.directory / "requirements.txt").write_text("# nothing to install, so pip needs no network\n")
    done = checkout.run("ops/run", "drift", PIP_NO_INDEX="1")
    assert done.returncode == 0, done.stderr
    assert (checkout.directory / ".venv-run/bin/pip").exists()


def test_a_set_up_that_was_cut_off_is_done_again_once_its_installer_ended(checkout: Checkout) -> None:
    started = checkout.home.with_name("started")
    os.mkfifo(started)
    checkout.put_uv(f"echo $$ >'{started}'; exec {shutil.which('sleep')} {SECONDS_MAX}")
    environment = checkout.directory / ".venv-run"
    script, requirements = checkout.directory / "ops/environment.py", checkout.directory / "requirements.txt"
    with subprocess.Popen(
        [sys.executable, "-I", script, environment, requirements, "a stamp"],
        env=checkout.environment(),
        stderr=subprocess.DEVNULL,
    ) as process:
        installer = int(started.read_text())
        process.kill()
    assert not (environment / "stamp").exists()
    with (checkout.directory / ".cache/venv-run.lock").open() as lock, pytest.raises(BlockingIOError):
        fcntl.flock(
            lock, fcntl.LOCK_EX | fcntl.LOCK_NB
        )  # child processes that outlive this one keep running in there
    os.kill(installer, signal.SIGKILL)
    checkout.put_uv()
    assert checkout.run("ops/run", "drift").returncode == 0


def test_two_first_runs_at_once_install_once(checkout: Checkout) -> None:
    command: list[str | Path] = ["/bin/sh", checkout.directory / "ops/run", "drift"]
    both = [
        subprocess.Popen(
            command, env=checkout.environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=SECONDS_MAX)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert outputs[0] == outputs[1] != b""
    assert checkout.installs() == 1


def test_without_arguments_and_settings_a_recorded_home_is_mirrored_twice(checkout: Checkout) -> None:
    done = checkout.run("ops/run", RECONCILE_TEST_REAL="1")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"--source", "capture:ops/sample/home-2026.11"') == 2
    assert done.stdout.count(f'"directory": "{checkout.directory}"') == 2
    assert done.stdout.index("First pass") < done.stdout.index("Second pass")
    assert "RECONCILE_SOURCE__URI" in done.stdout
    assert "RECONCILE_SOURCE__TOKEN_FILE" in done.stdout


def test_a_failing_first_pass_ends_the_demonstration_with_its_code(checkout: Checkout) -> None:
    done = checkout.run("ops/run", STUB_EXIT_CODE="1")
    assert done.returncode == 1
    assert "Second pass" not in done.stdout


@pytest.mark.parametrize(
    "variables", [{"RECONCILE_SOURCE__URI": "ws://home.local:8123"}, {"SUPERVISOR_TOKEN": "secret"}]
)
def test_a_setting_in_the_environment_means_the_user_s_own_home(
    checkout: Checkout, variables: dict[str, str]
) -> None:
    assert '"arguments": []' in checkout.run("ops/run", **variables).stdout


def test_a_settings_file_here_means_the_user_s_own_home(checkout: Checkout) -> None:
    (checkout.home / "reconcile.toml").touch()
    assert '"arguments": []' in checkout.run("ops/run").stdout


def locked(name: str) -> dict[str, str]:
    """The entries of a lock file: package name to all that is said about it, continued lines joined."""
    text = (ROOT / name).read_text().replace("\\\n", " ")
    return {line.split("==")[0]: line for line in text.splitlines() if line and line[0].isalnum()}


def version(entry: str) -> str:
    return entry.split(maxsplit=1)[0]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-kafka.txt", "requirements-dev.txt"])
def test_a_lock_pins_every_package_by_version_and_hash_and_names_no_address(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()
    for package, entry in locked(name).items():
        assert re.match(r"[a-z0-9-]+==[^ ]+ ", entry), package
        assert "--hash=sha256:" in entry, package


def test_the_locks_hold_what_the_project_asks_for_in_the_same_versions() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    runtime, everything = locked("requirements.txt"), locked("requirements-dev.txt")
    with_kafka = locked("requirements-kafka.txt")
    wanted = {re.split("[<>=~!;[ ]", text)[0] for text in project["project"]["dependencies"]}
    wanted_by_us = {re.split("[<>=~!;[ ]", text)[0] for text in [*groups["test"], *groups["check"]]}
    assert wanted <= runtime.keys(), "run: sh ops/lock"
    assert wanted | wanted_by_us <= everything.keys(), "run: sh ops/lock"
    assert with_kafka.keys() == runtime.keys() | {"confluent-kafka"}, "run: sh ops/lock"
    for ours in (runtime, with_kafka):
        assert {name: version(entry) for name, entry in ours.items()} == {
            name: version(entry) for name, entry in everything.items() if name in ours
        }
