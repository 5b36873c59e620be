"""Settings: precedence, one clear error per mistake, and secrets that do not print."""

import re
from pathlib import Path

import msgspec
import pytest

from engine.core.records.registries import REGISTRIES
from engine.errors import SettingsError
from engine.settings.layers import load_settings
from engine.settings.sections import LoadedSettings, documented_settings


def load(
    tmp_path: Path,
    toml: str | None = None,
    environ: dict[str, str] | None = None,
    flags: dict[str, object] | None = None,
) -> LoadedSettings:
    file = None
    if toml is not None:
        file = tmp_path / "given.toml"
        file.write_text(toml, encoding="utf-8")
    return load_settings(flags or {}, environ or {}, file, tmp_path)


def test_defaults_without_anything(tmp_path: Path) -> None:
    loaded = load(tmp_path)
    assert loaded.settings.source.registries == REGISTRIES
    assert loaded.origins == {}
    assert not loaded.token


def test_flags_win_over_environment_over_file_over_defaults(tmp_path: Path) -> None:
    toml = '[plan]\ndelete_count_max = 1\ndelete_few_max = 1\ndelete_ratio_max = 0.5\n[site]\nname = "file"'
    environ = {"RECONCILE_PLAN__DELETE_COUNT_MAX": "2", "RECONCILE_PLAN__DELETE_FEW_MAX": "2"}
    loaded = load(tmp_path, toml, environ, {"plan.delete_count_max": 3})
    plan = loaded.settings.plan
    assert (plan.delete_count_max, plan.delete_few_max, plan.delete_ratio_max) == (3, 2, 0.5)
    assert loaded.origins["plan.delete_count_max"] == "flag"
    assert loaded.origins["plan.delete_few_max"] == "environment"
    assert loaded.origins["site.name"] == str(tmp_path / "given.toml")


def test_the_settings_file_is_found_in_the_working_directory_or_by_the_environment(
    tmp_path: Path,
) -> None:
    (tmp_path / "reconcile.toml").write_text('[site]\nname = "here"')
    assert load(tmp_path).settings.site.name == "here"
    other = tmp_path / "other.toml"
    other.write_text('[site]\nname = "there"')
    assert load(tmp_path, environ={"RECONCILE_CONFIG": str(other)}).settings.site.name == "there"


@pytest.mark.parametrize(
    ("toml", "environ", "parts"),
    [
        (
            "[plan]\ndelete_cuont_max = 1",
            {},
            ["plan.delete_cuont_max", "Did you mean plan.delete_count_max?"],
        ),
        ("[plna]\nmode = 'observe'", {}, ["plna.mode", "Did you mean plan.mode?"]),
        ("site = 'x'", {}, ["site"]),
        ("[plan", {}, ["given.toml", "cannot be read"]),
        ("[plan]\nmode = 'guess'", {}, ["plan.mode", "'guess'", "enforce writes"]),
        ("[plan]\ndelete_ratio_max = 1.5", {}, ["plan.delete_ratio_max", "1.5", "of at most 1"]),
        ("[source]\nregistries = ['device', 'entitty']", {}, ["source.registries", "entitty", "entity"]),
        ("[source]\ntoken = 'abc'", {}, ["source.token", "token_file"]),
        (None, {"RECONCILE_SOURCE_URI": "ws://x"}, ["RECONCILE_SOURCE_URI", "Did you mean source.uri?"]),
        (None, {"RECONCILE_PLAN__DELETE_COUNT_MAX": "many"}, ["plan.delete_count_max", "environment"]),
        (None, {"RECONCILE_SITE__NAME": "My Home"}, ["site.name", "a-z"]),
        (
            None,
            {"RECONCILE_PLAN__ALLOW_DELETES": '["73-5f0c2a9d1e"]'},
            ["plan.allow_deletes", "commas separate"],
        ),
        (
            None,
            {"RECONCILE_SOURCE__TOKEN_FILE": "/nonexistent/token"},
            ["/nonexistent/token", "Create the file, or correct source.token_file."],
        ),
        (None, {"RECONCILE_SOURCE__TOKEN_FILE": "/"}, ["cannot be read: Is a directory. Correct"]),
        (None, {"RECONCILE_CONFIG": "/nonexistent.toml"}, ["/nonexistent.toml", "--config"]),
        (None, {"RECONCILE_CONFIG": "/nonexistent.toml"}, ["cannot be read: No such file or directory."]),
    ],
)
def test_a_mistake_is_named_with_the_setting_to_change(
    tmp_path: Path, toml: str | None, environ: dict[str, str], parts: list[str]
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, toml, environ)
    for part in parts:
        assert part in str(caught.value)


def test_a_wrong_token_in_the_settings_file_is_not_repeated_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, "[source]\ntoken = 'very-secret'")
    assert "very-secret" not in str(caught.value)


def test_registries_from_the_environment_are_a_comma_separated_list(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={"RECONCILE_SOURCE__REGISTRIES": "device, entity"})
    assert loaded.settings.source.registries == ("device", "entity")


def test_where_the_token_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("from-file\n")
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "source_token").write_text("from-systemd")
    environ = {
        "RECONCILE_SOURCE__TOKEN_FILE": str(file),
        "RECONCILE_SOURCE__TOKEN": "from-environment",
        "CREDENTIALS_DIRECTORY": str(credentials),
        "SUPERVISOR_TOKEN": "from-supervisor",
    }
    found = []
    while environ:
        loaded = load(tmp_path, environ=environ)
        found.append(loaded.token.reveal())
        environ.pop(next(iter(environ)))
    assert found == ["from-file", "from-environment", "from-systemd", "from-supervisor"]


def test_under_the_supervisor_the_source_is_known(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={"SUPERVISOR_TOKEN": "t"})
    assert loaded.settings.source.uri == "ws://supervisor/core/websocket"
    assert loaded.settings.http.trusted_peers == ("172.30.32.2",)
    none = load(tmp_path, environ={"SUPERVISOR_TOKEN": "t", "RECONCILE_HTTP__TRUSTED_PEERS": ""})
    assert none.settings.http.trusted_peers == ()


def test_lists_in_the_environment_are_separated_by_commas(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={"RECONCILE_HTTP__HOSTS": "pi.lan, pi ,"})
    assert loaded.settings.http.hosts == ("pi.lan", "pi")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("http.hosts", "http://pi.lan"),
        ("http.hosts", "pi.lan:8099"),
        ("http.trusted_peers", "supervisor"),
        ("http.trusted_peers", "172.30.32.0/24"),
        ("source.registries", ""),
    ],
)
def test_a_list_with_something_wrong_is_refused(tmp_path: Path, name: str, value: str) -> None:
    variable = f"RECONCILE_{name.upper().replace('.', '__')}"
    with pytest.raises(SettingsError, match=re.escape(name)):
        load(tmp_path, environ={variable: value})


@pytest.mark.parametrize("content", ["", "  \n", "two words", "a\nb"])
def test_a_token_file_must_hold_one_token(tmp_path: Path, content: str) -> None:
    file = tmp_path / "token"
    file.write_text(content)
    with pytest.raises(SettingsError, match="one token"):
        load(tmp_path, environ={"RECONCILE_SOURCE__TOKEN_FILE": str(file)})


@pytest.mark.parametrize("name", ["site.name", "site.tags", "fleet.prefix", "http.hosts"])
def test_a_line_break_ends_no_name(tmp_path: Path, name: str) -> None:
    value = '"west\\n"' if name in ("site.name", "fleet.prefix") else '["west\\n"]'
    with pytest.raises(SettingsError, match=name):
        load(tmp_path, f"{name} = {value}")


def test_a_token_never_prints(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={"RECONCILE_SOURCE__TOKEN": "very-secret"})
    assert "very-secret" not in f"{loaded} {loaded!r} {loaded.token} {loaded.token!r}"


def test_every_setting_has_a_description_and_a_default() -> None:
    settings = documented_settings()
    assert len({s.name for s in settings}) == len(settings) > 15
    for setting in settings:
        assert setting.description
        assert setting.default is not msgspec.NODEFAULT


def test_a_token_in_place_of_its_files_name_is_not_repeated(tmp_path: Path) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9." + "a" * 80
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, environ={"RECONCILE_SOURCE__TOKEN_FILE": token})
    assert token not in str(caught.value)


@pytest.mark.parametrize(
    "toml",
    [
        "a = " + "[" * 5_000,  # exhausts tomllib's recursion
        "[http]\nport = " + "9" * 4_095,  # digits up to int()'s own limit
        "[http]\nport = " + "9" * 5_000,  # beyond it
        "a" + ".a" * 20_000 + " = 1",  # would take tomllib 1.6 GB
        "# " + "x" * 70_000,
        "[source]\nuri = 1\nuri = 2",
    ],
)
def test_a_settings_file_that_costs_more_than_it_says_is_refused(tmp_path: Path, toml: str) -> None:
    with pytest.raises(SettingsError, match=r"cannot be read|is not accepted"):
        load(tmp_path, toml)


def test_a_name_that_no_file_can_have_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"source\.token_file"):
        load(tmp_path, '[source]\ntoken_file = "a\\u0000b"')
    with pytest.raises(SettingsError, match="cannot be read"):
        load(tmp_path, environ={"RECONCILE_CONFIG": "a\0b"})


def test_a_secret_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="/dev/zero cannot be read"):
        load(tmp_path, '[source]\ntoken_file = "/dev/zero"')


def test_a_folder_of_mounted_secrets_that_cannot_be_looked_into_holds_none(tmp_path: Path) -> None:
    assert not load(tmp_path, environ={"CREDENTIALS_DIRECTORY": "x" * 5_000}).token


@pytest.mark.parametrize("name", ["source.token", "records.token", "http.token"])
@pytest.mark.parametrize(
    "token", ["s3cret\r\nX-Evil: 1", "s3cret\u20ac", "s3cret\udcff", "s3 cret", "s3cret\x7f"]
)
def test_a_token_that_no_header_can_carry_is_refused_and_not_repeated(
    tmp_path: Path, name: str, token: str
) -> None:
    variable = f"RECONCILE_{name.upper().replace('.', '__')}"
    with pytest.raises(SettingsError, match=variable) as reported:
        load(tmp_path, environ={variable: token})
    assert "s3" not in f"{reported.value}{reported.value!r}{reported.value.__cause__!r}"


def test_a_password_may_be_any_text(tmp_path: Path) -> None:
    loaded = load(tmp_path, environ={"RECONCILE_RECORDS__PASSWORD": " p\u00e4ss w\u00f6rd "})
    assert loaded.records_password.reveal() == " p\u00e4ss w\u00f6rd "
    with pytest.raises(SettingsError, match=r"records\.password"):
        load(tmp_path, environ={"RECONCILE_RECORDS__PASSWORD": "\udcff"})


def test_a_secret_file_that_is_no_text_leaves_no_trace_of_it_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(b"s3cret\xff")
    with pytest.raises(SettingsError) as reported:
        load(tmp_path, f'[source]\ntoken_file = "{tmp_path}/token"')
    assert reported.value.__cause__ is None


def test_what_compose_files_and_editors_leave_is_read(tmp_path: Path) -> None:
    environ = {
        "RECONCILE_PLAN__ALLOW_EMPTY": "",
        "RECONCILE_PLAN__ALLOW_NEW_INSTANCE": "yes",
        "RECONCILE_PLAN__DELETE_COUNT_MAX": "",
        "RECONCILE_SOURCE__URI": "homeassistant.local:8123/lovelace/0\r",
        "RECONCILE_SOURCE__TOKEN": '"abc"\r',
    }
    file = tmp_path / "bom.toml"
    file.write_bytes("\ufeff[site]\r\nname = 'cabin'\r\n[plan]\r\nprune_foreign = 'on'\r\n".encode())
    found = load_settings({}, environ, file, tmp_path)
    plan = found.settings.plan
    assert (plan.allow_empty, plan.allow_new_instance, plan.prune_foreign) == (False, True, True)
    assert "plan.allow_empty" not in found.origins
    assert found.settings.site.name == "cabin"
    assert found.settings.source.uri == "http://homeassistant.local:8123/lovelace/0"
    assert found.token.reveal() == "abc"


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_a_token_file_of_a_windows_editor_is_read(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "token"
    file.write_bytes("abc\r\n".encode(encoding))
    assert load(tmp_path, environ={"RECONCILE_SOURCE__TOKEN_FILE": str(file)}).token.reveal() == "abc"


def test_an_invalid_switch_value_is_refused_with_the_valid_ones(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="true or false"):
        load(tmp_path, environ={"RECONCILE_PLAN__ALLOW_EMPTY": "perhaps"})


def test_without_a_working_folder_there_is_no_file_of_settings(tmp_path: Path) -> None:
    assert load_settings({}, {}, None, None).settings.site.name == "home"


def test_where_the_key_of_a_backup_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "kit.txt"
    file.write_text("Encryption key:\nAB12-CD34-EF56-GH78-IJ90-KL12-MN34\n")
    environ = {"RECONCILE_SOURCE__BACKUP_KEY_FILE": str(file), "RECONCILE_SOURCE__BACKUP_KEY": "an own one"}
    assert load(tmp_path, environ=environ).backup_key.reveal() == "AB12-CD34-EF56-GH78-IJ90-KL12-MN34"
    del environ["RECONCILE_SOURCE__BACKUP_KEY_FILE"]
    found = load(tmp_path, environ=environ)
    assert found.backup_key.reveal() == "an own one"
    assert found.secret_origins["source.backup_key"] == "RECONCILE_SOURCE__BACKUP_KEY"
    with pytest.raises(SettingsError, match="backup_key_file"):
        load(tmp_path, "[source]\nbackup_key = 'hunter2'")
