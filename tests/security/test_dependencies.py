"""What is installed is what was locked: every file named by its hash, and nothing from anywhere else.

Known vulnerabilities are another matter: they need an advisory service (see CONTRIBUTING.md).
"""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = sorted(ROOT.glob("requirements*.txt"))
_PIN = re.compile(r"([a-z0-9][a-z0-9._-]*)(\[[a-z0-9,._-]+\])?==([^ ;\\]+)( ; [^\\]+)?")


def entries(lock: Path) -> dict[str, list[str]]:
    """(pin, its options) of a lock file, by name."""
    text = "\n".join(line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#"))
    found = {}
    for entry in re.sub(r"\\\n", " ", text).splitlines():
        if entry.strip():
            pin, *options = re.split(r"\s+(?=--)", entry.strip())
            matched = _PIN.fullmatch(pin.strip())
            assert matched, f"{lock.name}: {pin} is no pin"
            found[matched[1]] = [f"{matched[1]}=={matched[3]}", *options]
    return found


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_everything_is_pinned_and_named_by_its_hash(lock: Path) -> None:
    assert len(entries(lock)) > 10
    for name, (_, *options) in entries(lock).items():
        assert options, f"{name} has no hash"
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", option) for option in options), name


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_everything_runs_with_the_versions_that_are_installed_for_users(lock: Path) -> None:
    small, large = entries(ROOT / "requirements.txt"), entries(lock)
    assert {name: pin for name, (pin, *_) in small.items()} == {
        name: pin for name, (pin, *_) in large.items() if name in small
    }


def test_every_group_of_dependencies_has_its_lock_and_is_bounded_above() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    script = (ROOT / "ops" / "lock").read_text()
    locked = set(re.findall(r"--group (\w+)", script))
    included = {
        part["include-group"] for group in groups.values() for part in group if isinstance(part, dict)
    }
    assert locked | included == set(groups)
    wanted = [part for group in groups.values() for part in group if isinstance(part, str)]
    assert [part for part in wanted if "<" not in part] == []
    assert {path.name for path in LOCKS} == set(re.findall(r"requirements[\w-]*\.txt", script)) | {
        "requirements.txt"
    }


def test_every_dependency_of_ours_is_bounded_above_and_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = entries(ROOT / "requirements.txt")
    for requirement in project["dependencies"]:
        name = re.match(r"[a-z0-9-]+", requirement)
        assert name
        assert name[0] in locked
        assert "<" in requirement, f"{requirement} accepts versions that do not exist yet"


def test_only_packages_pinned_by_hash_are_installed() -> None:
    text = (ROOT / "ops" / "environment.py").read_text()
    assert "--require-hashes" in text
    assert "--only-binary" in text
