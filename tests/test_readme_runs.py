"""The commands that README and docs/ show do what they show: each is run in its order, and answers the same.

Blocks of `console` are run, and those of `sh` that need nothing but a checkout and Python; the others, which want a
container engine, systemd or somebody's home, are at least shell. `sh ops/run` is the real script in a copy of the checkout; only the environment that it would install is replaced by a stand-in.
Times, ports and process ids differ, and `...` in README stands for any lines.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.settings.layers import load_settings

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
# The pages for newcomers fill ./var; every other page starts from there.
FIRST = ("README.md", "docs/tutorial.md")
SHOWN = [name for name, text in PAGES.items() if "```console" in text and name not in FIRST]
ELSEWHERE = re.compile(r"docker |systemctl|pipx |datasette |8123|influxdb:|kafka:|kafka-|before-upgrade")
LIE = """python3 -c "
import sqlite3; db = sqlite3.connect('var/home.db', 60)
db.execute('UPDATE devices SET name = \\'Mocked lamp\\' WHERE name = \\'Bed Light\\'')
db.commit()"
"""


class Visitor:
    """Somebody with a fresh checkout, who types what README says."""

    def __init__(self, checkout: Path) -> None:
        self.checkout = checkout
        (checkout / "ops").mkdir(parents=True)
        shutil.copytree(ROOT / "ops" / "sample", checkout / "ops" / "sample")
        shutil.copy(ROOT / "ops" / "run", checkout / "ops" / "run")
        environment = "prepare_environment() { environment=$checkout/made; }\n"
        (checkout / "ops" / "environment.sh").write_text(environment)
        made = checkout / "made" / "bin"
        made.mkdir(parents=True)
        for name, program in (
            ("reconcile", f'"{sys.executable}" -m engine'),
            ("python3", f'"{sys.executable}"'),
        ):
            (made / name).write_text(f'#!/bin/sh\nexec {program} "$@"\n')
            (made / name).chmod(0o755)
        self.environ = {
            "PATH": f"{made}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "LC_ALL": "C.UTF-8",
        }

    def type(self, command: str) -> str:
        """What the terminal shows."""
        if command.startswith("export "):
            self.environ |= dict(word.split("=", 1) for word in command.split()[1:])
            return ""
        ended = subprocess.run(
            ["sh", "-c", command],
            cwd=self.checkout,
            env=self.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=True,
        )
        return ended.stdout

    def serve_until_healed(self, command: str) -> str:
        """What the service says: it starts, is lied to after its first pass, heals that, and is stopped."""
        said: list[str] = []
        service = subprocess.Popen(
            command.split(),
            cwd=self.checkout,
            env={**self.environ, "RECONCILE_HTTP__PORT": "0"},
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert service.stderr is not None
            for line in service.stderr:
                if "status changed replica=sqlite" in line and "drift healed" not in "".join(said):
                    self.type(LIE)
                if "drift healed" in line:
                    service.send_signal(signal.SIGTERM)
                said.append(line)
        finally:
            service.kill()
            service.communicate()
        return "".join(said)

    def serve_until(self, command: str, told: str) -> str:
        """What the service says until it says this; then it is stopped."""
        said: list[str] = []
        environ = {**self.environ, "RECONCILE_HTTP__PORT": "0"}
        service = subprocess.Popen(
            command.split(), cwd=self.checkout, env=environ, stderr=subprocess.PIPE, text=True
        )
        try:
            assert service.stderr is not None
            for line in service.stderr:
                said.append(line)
                if told in line:
                    service.send_signal(signal.SIGTERM)
        finally:
            service.kill()
            service.communicate()
        assert told in "".join(said), "".join(said)
        return "".join(said)


def blocks(text: str) -> list[tuple[str, str]]:
    """The language and the content of every block."""
    return re.findall(r"(?ms)^```(\w+)\n(.*?)^```$", text)


def shown(text: str) -> list[tuple[str, str]]:
    """The commands of a page that can be run anywhere, each with the answer that the page shows to it."""
    found = []
    for language, block in blocks(text):
        if language == "console":
            found += [split(typed) for typed in re.split(r"(?m)^\$ ", block)[1:]]
        elif language == "sh" and not ELSEWHERE.search(block):
            found += [(block, "")]
    assert found
    return found


def split(typed: str) -> tuple[str, str]:
    """The command, which has several lines where it quotes, and the answer to it."""
    first, _, rest = typed.partition("\n")
    if first.count('"') % 2:
        quoted, _, wanted = rest.partition('"\n')
        return f'{first}\n{quoted}"', wanted
    return first, rest


def normal(text: str) -> str:
    """The text without what differs from run to run."""
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    text = re.sub(r"\bin \d+ s\b", "in N s", text)
    text = re.sub(r"before-restore-\w+", "before-restore-TIME", text)
    text = re.sub(r"\d{8}T\d{6}Z-\w+", "RUN", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


def is_shown(wanted: str, answer: str) -> bool:
    """Whether the answer is the wanted one, in which a line of dots stands for any number of lines."""
    parts = re.split(r"(?m)^ *\.\.\.\n", normal(wanted))
    return re.fullmatch(".*\n".join(re.escape(part) for part in parts), normal(answer), re.DOTALL) is not None


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path / "checkout")


def run_all(visitor: Visitor, text: str) -> None:
    for command, wanted in shown(text):
        answer = visitor.serve_until_healed(command) if " serve" in command else visitor.type(command)
        assert is_shown(wanted, answer), f"$ {command}\n{answer}"


@pytest.mark.parametrize("name", FIRST)
def test_the_examples_of_a_page_read_first_work_as_shown(visitor: Visitor, name: str) -> None:
    run_all(visitor, PAGES[name])


@pytest.mark.parametrize("name", SHOWN)
def test_the_examples_of_a_page_work_as_shown(visitor: Visitor, name: str) -> None:
    visitor.type("sh ops/run")
    run_all(visitor, PAGES[name])


@pytest.mark.parametrize("name", PAGES)
def test_every_block_of_commands_is_shell(name: str) -> None:
    for language, block in blocks(PAGES[name]):
        if language == "sh":
            assert subprocess.run(["sh", "-n"], input=block, text=True, check=False).returncode == 0, block


def stand_in(visitor: Visitor, name: str, script: str = "") -> None:
    """A program that does nothing, or what the script says."""
    program = visitor.checkout / "made" / "bin" / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def block_with(page: str, command: str) -> str:
    (found,) = [block for language, block in blocks(PAGES[page]) if language == "sh" and command in block]
    return found


@pytest.mark.parametrize("page", ["docs/how-to/compose.md", "README.md"])
def test_what_is_typed_for_compose_makes_every_secret_that_compose_reads(visitor: Visitor, page: str) -> None:
    """Docker is replaced by a stand-in; the files that it would get exist, and only their owner may read them."""
    stand_in(visitor, "docker")
    typed = [block for _, block in blocks(PAGES[page]) if "docker compose" in block]
    for block in typed:
        visitor.type(block)
    compose = (ROOT / "ops" / "compose.yaml").read_text(encoding="utf-8")
    wanted = set(re.findall(r"(?m)^    file: \./secrets/(\w+)$", compose)) | {"records_token"}
    if len(typed) == 1:  # without the profiles, which have secrets of their own
        wanted = {"source_token", "http_token"}
    secrets = visitor.checkout / "ops" / "secrets"
    assert {path.name for path in secrets.iterdir()} == wanted
    assert secrets.stat().st_mode & 0o777 == 0o700
    named = re.findall(r"(?m)^(\w+)=", (visitor.checkout / "ops" / ".env").read_text(encoding="utf-8"))
    assert [name for name in named if name != "COMPOSE_PROFILES" and f"${{{name}:" not in compose] == []


def test_what_is_typed_for_systemd_leaves_a_service_that_can_start(visitor: Visitor) -> None:
    """systemd and pip are replaced by stand-ins; the folders of the system are below the checkout."""
    system, said = visitor.checkout / "system", visitor.checkout / "said"
    (visitor.checkout / "token").write_text("a-token\n")
    for folder in ("etc/systemd/system", "opt"):
        (system / folder).mkdir(parents=True)
    shutil.copytree(ROOT / "ops" / "systemd", visitor.checkout / "ops" / "systemd")
    stand_in(visitor, "systemctl", f'echo "$@" >> {said}')
    installed = f'mkdir -p "$3/bin"; printf "#!/bin/sh\\necho pip \\"\\$@\\" >> {said}\\n" > "$3/bin/python3"; chmod +x "$3/bin/python3"'
    stand_in(visitor, "python3", installed)
    block = block_with("docs/how-to/systemd.md", "systemctl")
    visitor.type(re.sub(r"(?<=[ \n])/(opt|etc)/", rf"{system}/\1/", block))
    unit = (system / "etc/systemd/system/ha-reconcile.service").read_text(encoding="utf-8")
    assert re.search(r"(?m)^ExecStart=/opt/ha-reconcile/bin/", unit)
    token = system / "etc/ha-reconcile/source_token"
    assert (token.read_text(), token.stat().st_mode & 0o777) == ("a-token\n", 0o600)
    settings = load_settings({}, {}, system / "etc/ha-reconcile/reconcile.toml", system).settings
    assert settings.source.uri == "ws://homeassistant.local:8123"
    reported = said.read_text()
    assert "pip -m pip install --require-hashes" in reported
    assert reported.endswith("enable ha-reconcile\nstart ha-reconcile\nstatus ha-reconcile\n")


def test_what_is_typed_for_many_homes_keeps_one(visitor: Visitor) -> None:
    """Home Assistant is played by a program on another address; all else is as it stands."""
    (settings,) = (text for _, text in blocks(PAGES["docs/how-to/many-homes.md"]) if "[sites]" in text)
    (visitor.checkout / "reconcile.toml").write_text(settings, encoding="utf-8")
    program = [sys.executable, "-m", "tests.fakes.many_homes", "20"]
    with subprocess.Popen(program, cwd=ROOT, stdout=subprocess.PIPE, text=True) as core:
        try:
            assert core.stdout is not None
            port = core.stdout.readline().split()[0]
            typed = block_with("docs/how-to/many-homes.md", "site add")
            assert "cat > token" in typed, "where a person pastes it"
            typed = typed.replace("cat > token", "echo home-mill-street-4 > token")
            *before, check, serve = typed.replace("10.8.0.4:8123", f"127.0.0.1:{port}").splitlines()
            visitor.type("\n".join(before))
            token = visitor.checkout / "secrets" / "mill-street-4" / "source_token"
            assert token.stat().st_mode & 0o777 == 0o600
            assert "mill-street-4" in visitor.type("reconcile site list")
            assert re.search(r"(?m)^ok +mill-street-4 ", answer := visitor.type(check)), answer
            assert "Traceback" not in visitor.serve_until(serve, "replica=sqlite status=in_sync")
        finally:
            core.kill()
    assert (visitor.checkout / "var" / "sites" / "mill-street-4" / "rows.db").exists()


def test_what_is_typed_before_an_upgrade_takes_a_snapshot(visitor: Visitor) -> None:
    visitor.type("sh ops/run")
    visitor.type("export RECONCILE_ROWS__FILE=var/home.db")
    assert "205 records" in visitor.type(block_with("docs/how-to/upgrade.md", "store snapshot"))
    assert (visitor.checkout / "before-upgrade.db").exists()


def test_pages_for_installers_are_typed_as_they_stand(visitor: Visitor) -> None:
    """What a test elsewhere does for real: pipx and datasette; here only that the lines name what there is."""
    stand_in(visitor, "pipx", 'test -z "${2#.}" || test "$2" = datasette')
    stand_in(visitor, "datasette", 'test -e "$1" && test -e "$3"')
    visitor.type("sh ops/run")
    (visitor.checkout / "ops" / "datasette").symlink_to(ROOT / "ops" / "datasette")
    for page, command in (("README.md", "pipx"), ("docs/how-to/datasette.md", "pipx install")):
        visitor.type(block_with(page, command))
