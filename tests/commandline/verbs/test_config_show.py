"""`reconcile config show`: values, origins, and no secret anywhere."""

import json
from pathlib import Path

import pytest

from engine.settings.sections import SECRETS, documented_settings
from tests.commandline.in_process import Reconcile

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhYmNkZWYifQ.c2lnbmF0dXJlLXNpZ25hdHVyZQ"


def test_every_setting_shows_its_value_and_where_it_comes_from(
    reconcile: Reconcile, nobodys_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (nobodys_machine / "reconcile.toml").write_text('[rows]\nfile = "home.db"\n')
    monkeypatch.setenv("RECONCILE_SITE__NAME", "cabin")
    code, out, err = reconcile("config", "show", "--records", "none")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert 'site.name = "cabin"  (environment)' in lines
    assert 'records.uri = "none"  (flag)' in lines
    assert f'rows.file = "home.db"  ({nobodys_machine / "reconcile.toml"})' in lines
    assert "plan.delete_count_max = 1000  (default)" in lines
    assert "source.token = none  (not given)" in lines
    assert len(lines) == len(documented_settings()) + len(SECRETS)


def test_the_token_is_never_printed_wherever_it_comes_from(
    reconcile: Reconcile, nobodys_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = nobodys_machine / "token"
    file.write_text(TOKEN)
    answers = [reconcile("config", "show")]
    for name, value in (("RECONCILE_SOURCE__TOKEN", TOKEN), ("RECONCILE_SOURCE__TOKEN_FILE", str(file))):
        monkeypatch.setenv(name, value)
        answers += [reconcile("config", "show"), reconcile("config", "show", "--json")]
        answers.append(reconcile("doctor", "--records", "none", "--source", "capture:nowhere"))
        answers.append(reconcile("--records", "none", "--source", "capture:nowhere", "-v"))
        monkeypatch.delenv(name)
    monkeypatch.setenv("RECONCILE_SOURCE__TOKEN_FILE", TOKEN)  # the commonest mistake
    answers.append(reconcile("config", "show"))
    assert answers[-1].code == 1
    for answer in answers:
        assert TOKEN not in answer.out + answer.err
        assert TOKEN.split(".")[2] not in answer.out + answer.err
    assert "source.token = ***  (RECONCILE_SOURCE__TOKEN)" in answers[1].out
    assert f"source.token = ***  (file {file})" in answers[5].out


def test_a_password_in_the_address_is_not_printed(reconcile: Reconcile) -> None:
    out = reconcile("config", "show", "--source", "ws://me:hunter2@home:8123/?token=hunter2").out
    assert "hunter2" not in out
    assert 'source.uri = "ws://***@home:8123/?***"  (flag)' in out


def test_json_carries_types_and_documentation(reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECONCILE_PLAN__DELETE_RATIO_MAX", "0.3")
    shown = json.loads(reconcile("config", "show", "--json").out)
    assert shown["schema_version"] == 1
    settings = {s["name"]: s for s in shown["settings"]}
    ratio = settings["plan.delete_ratio_max"]
    assert (ratio["value"], ratio["origin"], ratio["default"]) == (0.3, "environment", 0.1)
    assert ratio["description"]
    assert settings["source.token"]["value"] is None


def test_an_unknown_setting_is_refused_with_a_suggestion(
    reconcile: Reconcile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECONCILE_ROWS__FIEL", "x")
    code, out, err = reconcile("config", "show")
    assert (code, out) == (1, "")
    assert err.endswith("Did you mean rows.file?\n")
