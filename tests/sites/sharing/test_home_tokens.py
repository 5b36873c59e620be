"""The tokens of homes that other processes keep: read with their files, and again now and then."""

from pathlib import Path

from engine.settings.layers import merge_layers, settings_layers
from engine.sites.files import SiteFiles
from engine.sites.sharing.home_tokens import HomeTokens


def test_a_token_is_known_with_its_file_and_a_new_one_soon(tmp_path: Path) -> None:
    (tmp_path / "sites.d").mkdir()
    for name in ("one", "two"):
        (tmp_path / "sites.d" / f"{name}.toml").write_text('[source]\nuri = "storage:."\n', encoding="utf-8")
    token = tmp_path / "secrets" / "one" / "http_token"
    token.parent.mkdir(parents=True)
    token.write_text("first\n", encoding="utf-8")
    given = {"sites.directory": str(tmp_path / "sites.d"), "sites.secrets": str(tmp_path / "secrets")}
    layers = settings_layers(given, {}, None, None)
    files = SiteFiles(merge_layers(layers, {})[0].sites, layers, {})
    tokens = HomeTokens()
    assert tokens.get("one") is None
    tokens.take(files.read())
    assert (tokens.get("one"), tokens.get("two"), tokens.get("none")) == ("first", None, None)
    token.write_text("second\n", encoding="utf-8")
    for _ in range(30):
        tokens.take(files.read())
    assert tokens.get("one") == "second"
    (tmp_path / "sites.d" / "one.toml").unlink()
    tokens.take(files.read())
    assert tokens.get("one") is None
