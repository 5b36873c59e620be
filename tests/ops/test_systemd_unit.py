"""ops/systemd: judged by systemd itself, then started as systemd would."""

import os
import re
import shlex
import socket
import sys
import threading
from pathlib import Path

import pytest

from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant
from tests.ops.programs import OPS, run, tool
from tests.service_process import ROOT, Service, poll

UNIT = OPS / "systemd" / "ha-reconcile.service"
EXPOSURE_MAX = 20  # tenths
FOLDERS = {"%E": "etc", "%S": "var/lib"}


@pytest.fixture
def analyze() -> str:
    return tool("systemd-analyze", "Debian's package `systemd`")


def setting(name: str) -> list[str]:
    return re.findall(rf"(?m)^{name}=(.*)$", UNIT.read_text(encoding="utf-8"))


def test_systemd_has_nothing_to_say(analyze: str, tmp_path: Path) -> None:
    # It also looks whether the program is there; that, no machine of a test has.
    (program,) = setting("ExecStart")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text(encoding="utf-8").replace(program.split()[0], sys.executable))
    done = run(analyze, "verify", "--man=no", "--recursive-errors=no", unit)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_sandbox_leaves_little_exposed(analyze: str) -> None:
    done = run(analyze, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", UNIT)
    assert done.returncode == 0, done.stdout


def command_line() -> list[str]:
    """What the unit starts, with this checkout in place of what is installed."""
    (program,) = setting("ExecStart")
    return [sys.executable, "-m", "engine", *shlex.split(program)[1:]]


def make_machine(folder: Path, uri: str) -> tuple[Path, dict[str, str]]:
    """Lays out the folders, the settings and the credentials below `folder`; returns the service's folder and environment."""

    def outside(value: str) -> str:
        for specifier, place in FOLDERS.items():
            value = value.replace(specifier, str(folder / place))
        return value

    credentials = folder / "credentials"
    for place in (*setting("StateDirectory"), *setting("ConfigurationDirectory")):
        for parent in FOLDERS.values():
            (folder / parent / place).mkdir(parents=True, exist_ok=True)
    credentials.mkdir()
    (config,) = setting("Environment")
    variable, _, settings_file = outside(config).partition("=")
    Path(settings_file).write_text(f'[source]\nuri = "{uri}"\n')
    for credential in setting("LoadCredential"):
        name, _, source = outside(credential).partition(":")
        Path(source).write_text(TOKEN)
        Path(source).rename(credentials / name)  # the service may read the copy and nothing else
    (working,) = setting("WorkingDirectory")
    return Path(outside(working)), {
        variable: settings_file,
        "CREDENTIALS_DIRECTORY": str(credentials),
        "PYTHONPATH": str(ROOT),
        "RECONCILE_HTTP__PORT": "0",
    }


def test_as_systemd_starts_it_it_is_ready_alive_and_knows_its_token(
    core: FakeHomeAssistant, services: list[Service], tmp_path: Path
) -> None:
    working, environ = make_machine(tmp_path, core.uri)
    heard: list[bytes] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(300)
        watchdog = int(setting("WatchdogSec")[0]) * 1_000_000
        environ |= {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": str(watchdog)}

        def listen() -> None:
            while not heard or heard[-1] != b"STOPPING=1":
                heard.append(systemd.recv(100))

        # At once, as systemd does: a socket holds ten messages on some machines, and the next one is lost.
        listening = threading.Thread(target=listen, daemon=True)
        listening.start()
        services.append(Service.started_by(command_line(), working, environ))
        poll(services[0].wait_until_serving(), "/api/status", "in_sync")
        assert services[0].stop()[0] == 0
        listening.join(120)
    assert heard[-1] == b"STOPPING=1"
    assert {b"READY=1", b"WATCHDOG=1"} <= set(heard)
    assert sorted(path.name for path in working.glob("*.db")) == ["reconcile-history.db", "reconcile.db"]


def system_calls(analyze: str, groups: list[str]) -> set[str]:
    """The members of systemd's groups of system calls."""
    found: set[str] = set()
    for group in groups:
        lines = run(analyze, "syscall-filter", "--no-pager", group).stdout.splitlines()[1:]
        names = {line.strip() for line in lines if line.strip() and not line.strip().startswith("#")}
        found |= system_calls(analyze, [name for name in names if name.startswith("@")])
        found |= {name for name in names if not name.startswith("@")}
    return found


def test_the_sandbox_forbids_nothing_that_the_service_does(
    analyze: str, core: FakeHomeAssistant, services: list[Service], tmp_path: Path
) -> None:
    """The service, watched by strace from its start to its end, over a core whose name has to be looked up."""
    strace = tool("strace", "Debian's package `strace`")
    trace = tmp_path / "trace"
    working, environ = make_machine(tmp_path, core.uri.replace("127.0.0.1", "localhost"))
    watched = [strace, "-D", "-f", "-qq", "-o", str(trace), *command_line()]
    services.append(Service.started_by(watched, working, environ))
    poll(services[0].wait_until_serving(), "/api/status", "in_sync")
    assert services[0].stop()[0] == 0

    text = trace.read_text(encoding="utf-8", errors="replace")
    calls = set(re.findall(r"(?m)^\d+ +(?:<\.\.\. )?(\w+)(?:\(| resumed)", text))
    allowing, denying = setting("SystemCallFilter")
    allowed = system_calls(analyze, ["@default", *allowing.split()])
    denied = system_calls(analyze, denying.removeprefix("~").split())
    assert "execve" in calls
    assert calls - allowed == set()
    # As root, which the service never is, SQLite gives its journals to the owner of the database.
    assert calls & denied <= ({"fchown"} if os.geteuid() == 0 else set())
    families = set(re.findall(r"socket(?:pair)?\((AF_\w+)", text))
    # Looking up a name asks the kernel for the machine's addresses, and does without an answer.
    assert families <= {"AF_NETLINK", *setting("RestrictAddressFamilies")[0].split()}
    made_executable = r"mprotect\([^)]*PROT_EXEC|mmap\([^)]*PROT_WRITE\|PROT_EXEC"
    assert setting("MemoryDenyWriteExecute") == ["yes"]
    assert re.findall(made_executable, text) == []


def test_systemd_waits_for_what_the_service_says_and_makes_it_a_user() -> None:
    assert setting("Type") == ["notify"]
    assert setting("DynamicUser") == ["yes"]
