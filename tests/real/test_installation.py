"""If a Home Assistant cannot be installed, the reason names the missing part and the next step."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from tests.real import debian_python, installation
from tests.real.debian_python import DebianPythonError, unpacked_python
from tests.real.installation import NEWEST, RELEASES, InstallationMissingError, find_installation, install

# As on a machine that has no Python which would do.
OF_NO_PYTHON_HERE = replace(NEWEST, pythons=("3.99",), python_min=(3, 99))
OLD_APT = """\
#!/bin/sh
case "$*" in
    indextargets*) echo https://deb.invalid/debian/ ;;
    *python3.14*) echo 'E: Unable to locate package python3.14' >&2; exit 100 ;;
esac
"""


@pytest.fixture
def apt_without_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no Python but ours, whose Debian has moved on; returns a folder to work in."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (("apt-get", OLD_APT), ("dpkg-deb", "#!/bin/sh\n")):
        (commands / name).write_text(text)
        (commands / name).chmod(0o755)
    keyring = tmp_path / "keyring.gpg"
    keyring.touch()
    monkeypatch.setenv("PATH", f"{commands}:{os.defpath}")
    monkeypatch.setattr(debian_python, "KEYRING", keyring)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")
    return tmp_path / "work"


def test_an_unsupported_debian_is_named_with_the_variable_to_change(apt_without_it: Path) -> None:
    with pytest.raises(DebianPythonError) as failure:
        unpacked_python("3.14", apt_without_it)
    said = str(failure.value)
    for part in ("forky", "sid", "https://deb.invalid/debian/", "python3.14", "Unable to locate", "SUITES"):
        assert part in said


def test_a_failed_installation_explains_how_to_name_another_version(
    apt_without_it: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(installation, "CACHE", apt_without_it)
    monkeypatch.delenv(NEWEST.place_variable, raising=False)
    found = find_installation(OF_NO_PYTHON_HERE)
    with pytest.raises(InstallationMissingError, match="RECONCILE_TEST_HOME_ASSISTANT_2026"):
        install(found)
    assert not found.is_complete()


def test_a_machine_that_is_no_debian_is_reported_which_python_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(NEWEST.place_variable, raising=False)
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(InstallationMissingError, match=r"2026\.11\.0\) runs on Python 3\.99.*no apt-get"):
        find_installation(OF_NO_PYTHON_HERE)


def test_requirements_are_pinned_and_name_no_address() -> None:
    for release in RELEASES:
        lines = [line for line in release.requirements.read_text().splitlines() if line and line[0] != "#"]
        assert all("==" in line and "://" not in line for line in lines), release.version
    assert all("--hash=sha256:" in line for line in lines), "of the newest, each with its hash"
