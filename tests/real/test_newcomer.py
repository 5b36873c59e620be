"""A newcomer with README and nothing else: the chapter "Your own home" works with a real Home Assistant.

Every line of the block is typed as it is there; only the address is that of the test's Home Assistant, and the token
is pasted.
"""

import re
import signal
import subprocess
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.real.home_assistant import HomeAssistant
from tests.service_process import poll
from tests.test_readme_runs import PAGES, Visitor, blocks

pytestmark = pytest.mark.real_server


def lines_of(page: str) -> list[str]:
    """The commands of the block that mirrors the user's own home, without their comments."""
    (block,) = (text for _, text in blocks(PAGES[page]) if "(umask 077; cat > token)" in text)
    return [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]


class Newcomer:
    """Somebody at a terminal, in a fresh checkout."""

    def __init__(self, visitor: Visitor, core: HomeAssistant) -> None:
        self.visitor, self.core = visitor, core

    def type(self, line: str, pasted: str = "") -> str:
        """What the terminal shows; an export stays for the lines after it."""
        line = line.replace("ws://homeassistant.local:8123", self.core.url)
        if line.startswith("export "):
            return self.visitor.type(line)
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=self.visitor.checkout,
            env=self.visitor.environ,
            input=pasted,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"$ {line}\n{done.stdout}"
        return done.stdout

    def serve(self, line: str) -> str:
        """The page, once the service has begun; it is stopped again."""
        environ = {**self.visitor.environ, "RECONCILE_HTTP__PORT": "0"}
        service = subprocess.Popen(
            line.split(), cwd=self.visitor.checkout, env=environ, stderr=subprocess.PIPE, text=True
        )
        assert service.stderr is not None
        try:
            said = ""
            while "is followed" not in said:
                said += service.stderr.readline()
            (address,) = re.findall(r"api=(http://\S+)", said)
            poll(address, "/api/status", "in_sync")
            with urlopen(address, timeout=30) as answer:  # http, and this machine
                return str(answer.read().decode())
        finally:
            service.send_signal(signal.SIGTERM)
            service.communicate(timeout=30)
            assert service.returncode == 0


@pytest.mark.parametrize("page", ["README.md", "docs/tutorial.md"])
def test_a_newcomer_has_their_own_home_mirrored(
    page: str, home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    newcomer = Newcomer(Visitor(tmp_path / "checkout"), home_assistant)
    checkout = newcomer.visitor.checkout
    paste, export, doctor, dry_run, one_pass, last = lines_of(page)

    newcomer.type(paste, home_assistant.read_only_token() + "\n")
    assert (checkout / "token").stat().st_mode & 0o777 == 0o600
    newcomer.type(export)
    reported = newcomer.type(doctor)
    assert "fail" not in reported, reported
    assert f"Home Assistant {home_assistant.version}" in reported
    assert "Nothing was written." in newcomer.type(dry_run)
    assert list(checkout.glob("*.db")) == []
    assert "Applied:" in newcomer.type(one_pass)
    assert {path.name for path in checkout.glob("*.db")} == {"reconcile.db", "reconcile-history.db"}
    if last.endswith("serve"):
        assert "In sync" in newcomer.serve(last)
    else:
        assert newcomer.type(last).startswith("In sync:")
