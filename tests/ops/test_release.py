"""ops/release: the same commit gives the same files, they hold what they should, and the wheel installs into an empty home.

The tools come from .venv-release (`requirements-release.txt`); without them the tests are skipped, or fail in CI.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest

from engine import __version__
from ops.man_page import man_page
from tests.availability import skip_or_fail
from tests.ops.programs import ROOT

pytestmark = [pytest.mark.process, pytest.mark.long]

_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "t"), ("EMAIL", "t@t"))
}
PYTHON = ROOT / ".venv-release" / "bin" / "python"


def git(checkout: Path, *arguments: str) -> str:
    environment = {**os.environ, **_AUTHOR}
    done = subprocess.run(
        ["git", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


def release(checkout: Path, directory: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [str(PYTHON), str(checkout / "ops" / "releasing.py"), str(directory)]
    given = {**os.environ, **environment}
    return subprocess.run(command, env=given, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit of what stands here, with the changelog's heading of a release."""
    if not PYTHON.exists():
        skip_or_fail("no .venv-release: `sh ops/release DIRECTORY` makes it")
    copy = tmp_path_factory.mktemp("release") / "checkout"
    for name in git(ROOT, "ls-files", "-co", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    changelog = copy / "CHANGELOG.md"
    text = changelog.read_text(encoding="utf-8")
    if not re.search(rf"(?m)^## \[{re.escape(__version__)}\]", text):
        heading = f"## [Unreleased]\n\n## [{__version__}] - 2026-11-29"
        changelog.write_text(text.replace("## [Unreleased]", heading), encoding="utf-8")
    git(copy, "init", "--quiet")
    git(copy, "add", "--all")
    git(copy, "commit", "--quiet", "--message", "A release")
    return copy


@pytest.fixture(scope="module")
def files(checkout: Path) -> Path:
    """A release."""
    directory = checkout.parent / "first"
    done = release(checkout, directory)
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def test_two_runs_give_the_same_bytes(checkout: Path, files: Path) -> None:
    other, again = checkout.parent / "elsewhere" / "clone", checkout.parent / "second"
    other.parent.mkdir()
    git(checkout.parent, "clone", "--quiet", str(checkout), str(other))
    mask = os.umask(0o077)
    try:
        done = release(other, again, TZ="Asia/Tokyo", LC_ALL="C", PYTHONHASHSEED="7")
    finally:
        os.umask(mask)
    assert done.returncode == 0, done.stderr
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in files.iterdir()
    }


def test_the_checksums_are_those_of_all_files(files: Path) -> None:
    lines = (files / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    reported = {name: digest for digest, name in (line.split("  ") for line in lines)}
    assert reported == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert set(reported) == {
        f"ha_reconcile-{__version__}-py3-none-any.whl",
        f"ha_reconcile-{__version__}.tar.gz",
        f"ha_reconcile-{__version__}.cdx.json",
        f"ha_reconcile_app-{__version__}.tar.gz",
    }


def test_every_address_is_made_of_the_one_in_pyproject(files: Path) -> None:
    (repository,) = re.findall(
        r'(?m)^repository = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )
    with zipfile.ZipFile(next(files.glob("*.whl"))) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith("/METADATA"))
        metadata = wheel.read(name).decode()
    urls = dict(re.findall(r"(?m)^Project-URL: (\w+), (.*)$", metadata))
    assert set(urls) == {"Homepage", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(repository) for url in urls.values())


def test_the_bill_of_materials_names_every_locked_package_by_its_hashes(files: Path) -> None:
    bill = json.loads((files / f"ha_reconcile-{__version__}.cdx.json").read_bytes())
    locked = dict(
        re.findall(
            r"(?m)^([a-z0-9._-]+)==([^ ;\\]+)", (ROOT / "requirements.txt").read_text(encoding="utf-8")
        )
    )
    assert {part["name"]: part["version"] for part in bill["components"]} == locked
    assert all(part["externalReferences"][0]["hashes"] for part in bill["components"])
    assert bill["metadata"]["component"]["name"] == "ha-reconcile"


def test_the_app_repository_is_packed_whole_and_belongs_to_nobody(files: Path) -> None:
    with tarfile.open(files / f"ha_reconcile_app-{__version__}.tar.gz") as archive:
        members = archive.getmembers()
    names = {member.name.removeprefix("ha-reconcile-app/") for member in members}
    assert {
        "repository.yaml",
        "ha-reconcile/config.yaml",
        "ha-reconcile/Dockerfile",
        "ha-reconcile/engine/__main__.py",
    } <= names
    assert {(m.uid, m.gid, m.uname, m.mode & 0o022) for m in members} == {(0, 0, "", 0)}


def test_a_checkout_with_changes_or_two_versions_is_refused(checkout: Path) -> None:
    other = checkout.parent / "changed"
    git(checkout.parent, "clone", "--quiet", str(checkout), str(other))
    program = other / "engine" / "__init__.py"
    program.write_text(program.read_text(encoding="utf-8").replace(__version__, "99.0"), encoding="utf-8")
    done = release(other, checkout.parent / "never")
    assert (done.returncode, "changes that are not committed" in done.stderr) == (1, True)
    git(other, "commit", "--quiet", "--all", "--message", "Another version")
    done = release(other, checkout.parent / "never")
    assert (done.returncode, "99.0 in engine/__init__.py" in done.stderr) == (1, True), done.stderr
    assert not (checkout.parent / "never").exists()


@pytest.mark.parametrize("what", ["wheel", "checkout"])
def test_pipx_installs_it_into_an_empty_home(what: str, files: Path, checkout: Path, tmp_path: Path) -> None:
    """The wheel of a release; and `pipx install .` in a checkout, as README says."""
    kept = ("PATH", "PIP_", "SSL_", "HTTP", "http", "UV_")  # how this machine reaches its package source
    environment = {name: value for name, value in os.environ.items() if name.startswith(kept)} | {
        "HOME": str(tmp_path)
    }
    wanted = str(next(files.glob("*.whl"))) if what == "wheel" else "."
    done = subprocess.run(
        [str(PYTHON), "-m", "pipx", "install", wanted],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    command = [str(tmp_path / ".local" / "bin" / "reconcile"), "--version"]
    reported = subprocess.run(
        command, cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert reported.stdout == f"reconcile {__version__}\n"
    pages = subprocess.run(
        [command[0], "docs", "upgrade"], cwd=tmp_path, env={}, capture_output=True, text=True, check=True
    )
    assert pages.stdout == (ROOT / "docs" / "how-to" / "upgrade.md").read_text(encoding="utf-8")
    manual = (
        tmp_path / ".local" / "share" / "man" / "man1" / "reconcile.1"
    )  # in the MANPATH of this bin folder
    assert manual.read_text(encoding="utf-8") == man_page()
