"""A metric is added as CONTRIBUTING says: it is exported with its value, and its row in the reference writes itself."""

from pathlib import Path

import pytest

from tests.walks.copied_program import SAMPLE, CopiedProgram

pytestmark = pytest.mark.process

DECLARED = """        self._widest = Gauge(
            "reconcile_widest_pass_records",
            "Records that the last pass compared.",
            registry=registry,
        )
"""
INSERTIONS = {
    "engine/metrics/series.py": [
        (DECLARED, '        self._duration = Histogram(\n            "reconcile_run_duration_seconds"'),
        (
            "        self._widest.set(report.source.records if report.source else 0)\n",
            "        for error in report.errors:\n",
        ),
    ]
}


def test_a_metric_is_added_in_one_file_and_documents_itself(tmp_path: Path) -> None:
    program = CopiedProgram(tmp_path / "program", INSERTIONS)
    program.reconcile(
        tmp_path, "--source", f"capture:{SAMPLE}", "--rows", "rows.db", "--metrics-file", "metrics.prom"
    )
    lines = (tmp_path / "metrics.prom").read_text(encoding="utf-8").splitlines()
    assert "reconcile_widest_pass_records 205.0" in lines
    assert "# HELP reconcile_widest_pass_records Records that the last pass compared." in lines
    page = program.page(tmp_path, "metrics.md")
    assert "| `reconcile_widest_pass_records` | gauge | Records that the last pass compared. |" in page
