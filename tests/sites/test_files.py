"""The files of many homes: laid over the process's own, and a broken one is a finding about its own home."""

import os
from pathlib import Path
from typing import Any

import pytest

from engine.errors import SettingsError, SourceRefused
from engine.settings.layers import merge_layers, settings_layers
from engine.settings.sections import HttpSettings, LoadedSettings, Settings
from engine.sites.files import SiteFile, SiteFiles, http_token, read_token
from engine.sites.pauses import is_paused

URI = 'uri = "ws://home:8123"'


def write(folder: Path, name: str, text: str = f"[source]\n{URI}\n") -> None:
    (folder / "sites.d").mkdir(exist_ok=True)
    (folder / "sites.d" / f"{name}.toml").write_text(text, encoding="utf-8")


def files(folder: Path, text: str = "", **sites: str) -> SiteFiles:
    (folder / "sites.d").mkdir(exist_ok=True)
    (folder / "reconcile.toml").write_text(text, encoding="utf-8")
    named = {"directory": str(folder / "sites.d"), "state": str(folder / "state"), **sites}
    flags = {f"sites.{name}": value for name, value in named.items()}
    environ = {"RECONCILE_SOURCE__TOKEN": "t"}
    layers = settings_layers(flags, environ, folder / "reconcile.toml", None)
    return SiteFiles(merge_layers(layers, environ)[0].sites, layers, environ)


def error_of(file: SiteFile) -> str:
    assert file.error is not None
    assert file.loaded is None
    assert file.error.hint
    return str(file.error)


def test_a_home_has_its_own_folder_and_the_defaults_for_many_homes(tmp_path: Path) -> None:
    write(tmp_path, "first", f'[source]\n{URI}\n[site]\nlabel = "First"\ntags = ["west"]\n')
    (found,) = files(tmp_path).read().values()
    assert found.loaded is not None
    settings = found.loaded.settings
    assert (settings.site.name, settings.site.label, settings.site.tags) == ("first", "First", ("west",))
    assert settings.rows.file == str(tmp_path / "state" / "first" / "rows.db")
    assert settings.records.uri == f"history:{tmp_path / 'state' / 'first' / 'history.db'}"
    assert (settings.loop.relist_seconds, settings.rows.cache_kib) == (3600, 128)


def test_settings_of_the_process_override_defaults_and_those_of_the_home_override_both(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", f"[source]\n{URI}\n[loop]\nrelist_seconds = 50\n")
    text = '[loop]\nrelist_seconds = 700\n[rows]\nfile = "shared.db"\n[records]\nuri = "influxdb://db:8086/homes"\n'
    a, b = (f.loaded.settings for f in files(tmp_path, text).read().values() if f.loaded)
    assert (a.loop.relist_seconds, b.loop.relist_seconds) == (700, 50)
    assert a.rows.file != b.rows.file
    assert a.records.uri == b.records.uri == "influxdb://db:8086/homes"


def test_the_flag_that_names_a_home_names_no_other(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b")
    homes = files(tmp_path)
    homes._layers[-1][1]["site.name"] = "b"
    assert sorted(homes.read()) == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nonsense [", "cannot be read"),
        ("[source]\nurl = 1\n", "Unknown setting source.url"),
        ("[loop]\nwatch_seconds = 1\n", "does not name its Home Assistant"),
        (f'[source]\n{URI}\ntoken = "x"\n', "secrets do not belong"),
        (f"[source]\n{URI}\n[http]\nport = 1\n", "belongs to the whole process"),
        (f'[source]\n{URI}\n[sites]\nshard = "1/1"\n', "belongs to the whole process"),
        (f'[source]\n{URI}\n[site]\nname = "No Name"\n', r"site.name = 'No Name'"),
        (f'[source]\n{URI}\ntoken_file = "missing"\n', "cannot be read"),
        (f"[source]\n{URI}\n[plan]\ndelete_ratio_max = 7\n", "plan.delete_ratio_max = 7"),
        ("\x00", "cannot be read"),
        ("a" * 70_000, "longer than"),
    ],
)
def test_a_broken_file_is_one_clear_sentence_and_leaves_the_others(
    tmp_path: Path, text: str, said: str
) -> None:
    write(tmp_path, "broken", text)
    write(tmp_path, "good")
    found = files(tmp_path).read()
    assert said in error_of(found["broken"])
    assert found["good"].loaded is not None


def test_a_folder_and_a_file_that_cannot_be_read_are_findings(tmp_path: Path) -> None:
    write(tmp_path, "good")
    (tmp_path / "sites.d" / "folder.toml").mkdir()
    (tmp_path / "sites.d" / "gone.toml").symlink_to("nowhere")
    (tmp_path / "sites.d" / "Bad Name.toml").touch()
    (tmp_path / "sites.d" / "README").touch()
    found = files(tmp_path).read()
    assert sorted(found) == ["Bad Name", "folder", "gone", "good"]
    for name in ("Bad Name", "folder", "gone"):
        error_of(found[name])


def test_a_folder_of_homes_that_is_not_there_is_refused(tmp_path: Path) -> None:
    homes = files(tmp_path)
    (tmp_path / "sites.d").rmdir()
    with pytest.raises(SettingsError, match=r"sites\.directory"):
        homes.read()


def test_of_two_homes_with_one_name_the_one_with_that_file_name_is_kept(tmp_path: Path) -> None:
    write(tmp_path, "a", f'[source]\n{URI}\n[site]\nname = "z"\n')
    write(tmp_path, "z")
    found = files(tmp_path).read()
    assert found["z"].path.name == "z.toml"
    assert "both name their home z" in error_of(found["a.toml"])


def test_a_file_that_comes_later_takes_no_home_away(tmp_path: Path) -> None:
    write(tmp_path, "m", f'[source]\n{URI}\n[site]\nname = "z"\n')
    homes = files(tmp_path)
    homes.read()
    for later in ("a", "z"):
        write(tmp_path, later, '[source]\nuri = "ws://other"\n[site]\nname = "z"\n')
        assert homes.read()["z"].path.name == "m.toml"


def test_a_file_that_breaks_goes_on_speaking_of_its_home(tmp_path: Path) -> None:
    write(tmp_path, "a", f'[source]\n{URI}\n[site]\nname = "z"\n')
    homes = files(tmp_path)
    homes.read()
    write(tmp_path, "a", "[")
    assert list(homes.read()) == ["z"]
    error_of(homes.read()["z"])


def test_a_home_that_writes_into_the_folder_of_another_one_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "good")
    write(tmp_path, "a", f'[source]\n{URI}\n[rows]\nfile = "{tmp_path}/x/../state/good/rows.db-wal"\n')
    write(tmp_path, "b", f'[source]\n{URI}\n[rows]\nfile = "{tmp_path}/state/good/rows.db"\n')
    found = files(tmp_path).read()
    assert found["good"].loaded is not None
    for name in ("a", "b"):
        assert "where the home good writes" in error_of(found[name])


def test_no_name_of_a_file_keeps_other_homes_from_being_read(tmp_path: Path) -> None:
    write(tmp_path, "good")
    (Path(os.fsdecode(os.fsencode(tmp_path / "sites.d") + b"/\xff.toml"))).touch()
    found = files(tmp_path).read()
    assert found["good"].loaded is not None
    assert "does not name a home" in error_of(found["\\xff"])
    assert str(found["\\xff"].error).encode()


def test_a_name_ends_where_it_seems_to(tmp_path: Path) -> None:
    write(tmp_path, "a", f'[source]\n{URI}\n[site]\nname = "b\\n"\n')
    assert "is not a valid name" in error_of(files(tmp_path).read()["a"])


def test_a_pipe_without_a_writer_blocks_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a")
    os.mkfifo(tmp_path / "sites.d" / "b.toml")
    (tmp_path / "secrets" / "a").mkdir(parents=True)
    os.mkfifo(tmp_path / "secrets" / "a" / "source_token")
    for found in files(tmp_path, secrets=str(tmp_path / "secrets")).read().values():
        assert "it is not a file" in error_of(found)


def test_an_unreadable_folder_is_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a")
    stat = os.stat

    def refuse(path: Any, **options: Any) -> os.stat_result:
        if "_token" in str(path) or "paused" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return stat(path, **options)

    monkeypatch.setattr(os, "stat", refuse)
    found = files(tmp_path, secrets=str(tmp_path / "secrets")).read()
    assert "cannot be read" in error_of(found["a"])
    assert not is_paused(tmp_path)


def test_a_file_that_cannot_be_read_may_be_of_any_home_it_names(tmp_path: Path) -> None:
    write(tmp_path, "a", '[site]\nname = "z"\n[')
    homes = files(tmp_path)
    homes.read()
    assert homes.claims("z") == tmp_path / "sites.d" / "a.toml"
    assert homes.claims("other") is None


def test_homes_that_would_write_to_one_file_are_not_both_kept(tmp_path: Path) -> None:
    write(tmp_path, "a", f'[source]\n{URI}\n[rows]\nfile = "one.db"\n')
    write(tmp_path, "b", f'[source]\n{URI}\n[rows]\nfile = "one.db"\n')
    found = files(tmp_path).read()
    assert found["a"].loaded is not None
    assert "where the home a writes" in error_of(found["b"])


def test_secrets_are_found_in_a_folder_and_a_missing_one_is_named(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path, name)
        (tmp_path / "secrets" / name).mkdir(parents=True)
    (tmp_path / "secrets" / "a" / "source_token").write_text("own\n", encoding="utf-8")
    (tmp_path / "secrets" / "a" / "http_token").write_text("opens\n", encoding="utf-8")
    (tmp_path / "secrets" / "b" / "source_token").write_text("two words", encoding="utf-8")
    homes = files(tmp_path, secrets=str(tmp_path / "secrets"))
    found = homes.read()
    assert found["a"].loaded is not None
    assert found["a"].loaded.token.reveal() == "own"
    assert found["a"].loaded.http_token.reveal() == "opens"
    assert "does not hold one token" in error_of(found["b"])
    assert "source_token" in error_of(found["c"])
    (tmp_path / "secrets" / "c" / "source_token").write_text("late", encoding="utf-8")
    assert homes.read()["c"].loaded is not None, "it is looked for again"


def test_a_token_that_opens_a_home_is_taken_up_when_it_comes(tmp_path: Path) -> None:
    write(tmp_path, "a")
    (tmp_path / "secrets" / "a").mkdir(parents=True)
    (tmp_path / "secrets" / "a" / "source_token").write_text("own", encoding="utf-8")
    homes = files(tmp_path, secrets=str(tmp_path / "secrets"))
    first = homes.read()["a"]
    assert homes.read()["a"] is first
    (tmp_path / "secrets" / "a" / "http_token").write_text("opens", encoding="utf-8")
    found = homes.read()["a"]
    assert found.loaded is not None
    assert found.loaded.http_token.reveal() == "opens"
    assert found.signature == first.signature, "the home goes on"
    assert homes.read()["a"] is found


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    write(tmp_path, "a")
    homes = files(tmp_path)
    first = homes.read()["a"]
    assert homes.read()["a"] is first
    write(tmp_path, "a", f'[source]\n{URI}\n[site]\nlabel = "New"\n')
    assert homes.read()["a"] != first


def test_a_token_file_that_is_gone_is_a_refusal_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(SourceRefused, match="cannot be read"):
        read_token(str(tmp_path / "none"))


def test_the_token_that_opens_a_home_is_as_its_file_has_it_now(tmp_path: Path) -> None:
    token = tmp_path / "http_token"
    settings = Settings(http=HttpSettings(token_file=str(token)))
    file = SiteFile(tmp_path / "a.toml", "a", (1, 1, 1), LoadedSettings(settings, {}, {}, {}))
    assert http_token(file) is None
    for text in ("first", "second"):
        token.write_text(text, encoding="utf-8")
        assert http_token(file) == text
    assert http_token(SiteFile(tmp_path / "a.toml", "a", (1, 1, 1))) is None


def test_the_homes_of_a_fleet_are_kept_in_its_kafka_and_in_no_other(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path, "b", f'[source]\n{URI}\n[records]\nkafka_uri = "kafka://other:9092/homes"\n')
    write(tmp_path, "c", f'[source]\n{URI}\n[records]\nuri = "kafka://other:9092/homes"\n')
    text = '[fleet]\nbrokers = "one:9092?replicas=1"\nprefix = "homes"\n'
    found = files(tmp_path, text).read()
    assert found["a"].loaded is not None
    records = found["a"].loaded.settings.records
    assert records.kafka_uri == "kafka://one:9092/homes?replicas=1"
    assert records.uri.startswith("history:")
    assert "a Kafka of its own" in error_of(found["b"])
    assert "both name a Kafka" in error_of(found["c"])


def test_a_file_that_cannot_be_read_advises_nothing_that_is_for_the_process(tmp_path: Path) -> None:
    write(tmp_path, "h1", "[source\n")
    error = files(tmp_path).read()["h1"].error
    assert error is not None
    assert "h1.toml cannot be read" in str(error)
    assert error.hint == "Correct it; the other homes are still kept."


def test_a_folder_that_links_into_another_homes_is_detected_whenever_it_appears(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(tmp_path, name)
    (tmp_path / "state" / "one").mkdir(parents=True)
    reader = files(tmp_path)
    assert all(file.error is None for file in reader.read().values())
    (tmp_path / "state" / "two").symlink_to(tmp_path / "state" / "one")
    assert "where the home one writes" in error_of(reader.read()["two"])
    (tmp_path / "state" / "two").unlink()
    assert reader.read()["two"].error is None
