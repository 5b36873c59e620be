"""Digests of settings: the same for the same home on any machine, another one for another behaviour."""

from pathlib import Path

import pytest

from engine.settings.layers import merge_layers, settings_layers
from engine.sites.files import SiteFiles
from engine.sites.sharing.digests import SettingsDigests

TEXT = '[source]\nuri = "ws://10.0.0.1:8123"\n'


def digests(folder: Path, text: str, **flags: str) -> dict[str, str | None]:
    (folder / "sites.d").mkdir(parents=True, exist_ok=True)
    (folder / "sites.d" / "s1.toml").write_text(text, encoding="utf-8")
    given = {"sites.directory": str(folder / "sites.d"), "sites.state": str(folder / "state")}
    secrets = folder / "secrets" / "s1"
    secrets.mkdir(parents=True, exist_ok=True)
    (secrets / "source_token").write_text(str(folder), encoding="utf-8")
    given["sites.secrets"] = str(folder / "secrets")
    layers = settings_layers(
        given | {name.replace("__", "."): v for name, v in flags.items()}, {}, None, None
    )
    files = SiteFiles(merge_layers(layers, {})[0].sites, layers, {})
    found = SettingsDigests()
    first = found.of(files.read())
    assert found.of(files.read()) == first
    return first


def test_paths_secrets_and_spelling_do_not_matter(tmp_path: Path) -> None:
    here = digests(tmp_path / "a", TEXT)
    assert here == digests(tmp_path / "b", "# a comment\n" + TEXT.replace(" = ", "="))
    assert here["s1"]


@pytest.mark.parametrize(
    "text",
    [
        TEXT.replace("10.0.0.1", "10.0.0.2"),
        TEXT + "[loop]\nrelist_seconds = 60\n",
        TEXT + '[site]\ntags = ["west"]\n',
        TEXT + "[plan]\ndelete_confirm_seconds = 1\n",
    ],
)
def test_another_behaviour_is_another_digest(tmp_path: Path, text: str) -> None:
    assert digests(tmp_path / "a", TEXT) != digests(tmp_path / "b", text)


def test_the_settings_of_the_process_count_too(tmp_path: Path) -> None:
    assert digests(tmp_path / "a", TEXT) != digests(tmp_path / "b", TEXT, plan__mode="observe")


def test_a_broken_file_has_none(tmp_path: Path) -> None:
    assert digests(tmp_path, "nonsense [") == {"s1": None}
