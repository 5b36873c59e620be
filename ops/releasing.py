"""Makes the files of a release from the commit that is checked out; `sh ops/release DIRECTORY` runs it.

Invariants: what is released is what git has, so a checkout with changes is refused; the version is the same in the program,
the app and the newest heading of the changelog; and the same commit gives the same bytes, because times, owners, modes and
order are those of the commit and not of the machine.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REFUSED = 1
CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits
PLACEHOLDER = "https://example.org/"


class Refused(Exception):
    """The commit cannot be released; the message says why, and what to do."""


def main(arguments: list[str]) -> int:
    """Make the release in a new directory; returns the exit code."""
    directory = Path(arguments[0]).absolute()
    if directory.exists():
        print(f"ops/release: {directory} already exists. Name a new directory.", file=sys.stderr)
        return CANNOT_CREATE
    try:
        check_clean()
        with tempfile.TemporaryDirectory() as work:
            files = make(Path(work))
            shutil.copytree(files, directory)
    except Refused as refused:
        print(f"ops/release: {refused}", file=sys.stderr)
        return REFUSED
    print((directory / "SHA256SUMS").read_text(encoding="utf-8"), end="")
    return 0


def make(work: Path) -> Path:
    """Returns the folder, below `work`, with all files of the release."""
    seconds = int(run("git", "log", "-1", "--format=%ct"))
    source, files = work / "source", work / "files"
    export(source)
    version = checked_version(source)
    if PLACEHOLDER in (source / "pyproject.toml").read_text(encoding="utf-8"):
        print("ops/release: `repository` in pyproject.toml is still a placeholder.", file=sys.stderr)
    files.mkdir()
    build_packages(source, files, seconds)
    app = work / "app"
    run("/bin/sh", source / "ops" / "pack-app", app)
    pack(app, files / f"ha_reconcile_app-{version}.tar.gz", seconds)
    make_bill_of_materials(source, files / f"ha_reconcile-{version}.cdx.json")
    sums = [f"{digest(path)}  {path.name}\n" for path in sorted(files.iterdir())]
    (files / "SHA256SUMS").write_text("".join(sums), encoding="utf-8")
    return files


def check_clean() -> None:
    """Raises Refused if the checkout holds what its commit does not."""
    changed = run("git", "status", "--porcelain")
    if changed:
        raise Refused(f"the checkout has changes that are not committed:\n{changed}\nCommit or remove them.")


def export(folder: Path) -> None:
    """Puts the files of the commit into a folder, with modes that no umask changes."""
    folder.mkdir()
    archive = folder.with_suffix(".tar")
    run("git", "archive", f"--output={archive}", "HEAD")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)


def checked_version(source: Path) -> str:
    """The version that all places agree on. Raises Refused if they do not."""
    places = {
        "engine/__init__.py": r'__version__ = "([^"]+)"',
        "ops/home-assistant-app/ha-reconcile/config.yaml": r'(?m)^version: "([^"]+)"',
        "ops/home-assistant/custom_components/reconcile/manifest.json": r'"version": "([^"]+)"',
        "CHANGELOG.md": r"(?m)^## \[(\d[^\]]*)\]",
    }
    found = {}
    for name, pattern in places.items():
        match = re.search(pattern, (source / name).read_text(encoding="utf-8"))
        found[name] = match[1] if match else "none"
    versions = set(found.values())
    if len(versions) > 1:
        found_versions = ", ".join(f"{version} in {name}" for name, version in found.items())
        raise Refused(f"the version is not the same everywhere: {found_versions}.")
    return versions.pop()


def build_packages(source: Path, files: Path, seconds: int) -> None:
    """Source distribution, and the wheel that is made of it; an index would find nothing wrong with their metadata."""
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(seconds)}
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", files, source)
    run(*command, environment=environment)
    run(sys.executable, "-m", "twine", "check", "--strict", *sorted(files.iterdir()))


def pack(folder: Path, archive: Path, seconds: int) -> None:
    """A gzipped tar of a folder's content, the same for the same content."""
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", 9, raw, mtime=seconds) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            member = tar.gettarinfo(path, arcname=f"ha-reconcile-app/{path.relative_to(folder)}")
            member.uid = member.gid = 0
            member.uname = member.gname = ""
            member.mtime = seconds
            member.mode = 0o755 if path.is_dir() else 0o644
            content = None if path.is_dir() else io.BytesIO(path.read_bytes())
            tar.addfile(member, content)


def make_bill_of_materials(source: Path, file: Path) -> None:
    """What the program is installed with, from requirements.txt: names, versions and hashes."""
    program = Path(sys.executable).with_name("cyclonedx-py")
    pyproject = ("--pyproject", source / "pyproject.toml", "--mc-type", "application")
    output = ("--output-reproducible", "--output-format", "JSON", "--output-file", file)
    run(program, "requirements", *pyproject, *output, source / "requirements.txt")


def digest(file: Path) -> str:
    """The SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def run(*command: str | Path, environment: dict[str, str] | None = None) -> str:
    """What a program says on standard output. Raises Refused, with all it said, if it fails."""
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Refused(f"{Path(command[0]).name} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
