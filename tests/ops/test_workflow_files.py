"""The workflow of a code forge runs what developers run, and forges can read its files."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.ops.programs import tool

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "schema"),
    [
        (".github/workflows/ci.yml", "vendor.github-workflows"),
        (".github/dependabot.yml", "vendor.dependabot"),
    ],
)
def test_the_files_fit_their_schemas(file: str, schema: str) -> None:
    check = tool("check-jsonschema", "check-jsonschema from PyPI")
    subprocess.run([check, "--builtin-schema", schema, ROOT / file], check=True)


def test_issue_forms_are_what_forges_read() -> None:
    folder = ROOT / ".github" / "ISSUE_TEMPLATE"
    forms = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in folder.iterdir()}
    assert forms.pop("config.yml") == {"blank_issues_enabled": True}
    for form in forms.values():
        assert set(form) == {"name", "description", "body"}
        assert {part["type"] for part in form["body"]} <= {"markdown", "textarea", "dropdown"}
        ids = [part["id"] for part in form["body"] if part["type"] != "markdown"]
        assert len(ids) == len(set(ids))


def test_the_workflow_runs_what_readme_and_contributing_name() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["ci"]
    assert [step["run"] for step in job["steps"] if ".ci/run" in step.get("run", "")] == ["sh .ci/run"]
    assert workflow["permissions"] == {"contents": "read"}


def test_the_workflow_tries_every_python_that_is_named() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    named = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert workflow["jobs"]["pythons"]["strategy"]["matrix"]["python"] == named
    assert workflow["jobs"]["pythons"]["steps"][-1]["run"] == "sh ops/test --fast"
