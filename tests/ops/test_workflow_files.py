"""The workflow of a code forge runs what everybody runs, and its files are what forges read."""

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


def test_the_workflow_runs_what_readme_and_contributing_name() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    (job,) = workflow["jobs"].values()
    assert [step["run"] for step in job["steps"] if ".ci/run" in step.get("run", "")] == ["sh .ci/run"]
    assert workflow["permissions"] == {"contents": "read"}
