"""Counting loads nothing of Prometheus' client, and counts its input."""

import subprocess
import sys
from pathlib import Path

import pytest

from engine.metrics.instruments import Counter, Distribution, Instrument


def test_a_value_counts_where_it_is_not_above_the_bound() -> None:
    found = Distribution((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 9.0):
        found.observe(value)
    assert (found.counts, found.sum) == ([2, 2, 1], 14.0)


def test_without_labels_there_is_a_series_from_the_start() -> None:
    registry = list[Instrument]()
    plain, by_who = Counter("a", "A.", registry=registry), Counter("b", "B.", ("who",), registry=registry)
    assert [labels for labels, _ in plain.series()] == [()]
    assert by_who.series() == []
    by_who.labels("x").inc()
    assert [(labels, number.value) for labels, number in by_who.series()] == [(("x",), 1.0)]
    assert registry == [plain, by_who]


@pytest.mark.process
def test_counting_does_not_load_the_client() -> None:
    program = (
        "import sys; import engine.composition.serving; from engine.metrics.series import Metrics\n"
        "from engine.core.state.intervals import AGELESS\n"
        "metrics = Metrics(None, lambda: 0.0, version='1', replicas=['sqlite'], freshness=AGELESS)\n"
        "metrics.on_source('read')\n"
        "assert 'prometheus_client' not in sys.modules\n"
        "assert b'reconcile_source_reads_total 1.0' in metrics.render('')[0]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])
