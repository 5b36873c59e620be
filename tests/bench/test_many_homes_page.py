"""The figures on the page about many homes are the measured ones."""

import re
from pathlib import Path

from bench.readme import read_groups

PAGE = Path(__file__).parents[2] / "docs/how-to/many-homes.md"


def test_the_line_about_100_homes_matches_the_figures() -> None:
    """Not less than was measured, and not far more: memory per home beside the 60 MiB of a process at most."""
    kept = {figure.name: figure.value for figure in read_groups()["many_homes"].figures}
    row = re.search(
        r"(?m)^\| 100 x 1,300 \| (\d+) MiB \| (\d+) to (\d+) % \|", PAGE.read_text(encoding="utf-8")
    )
    assert row is not None
    memory, least, most = map(int, row.groups())
    assert 100 * kept["memory per home"] <= memory <= 100 * kept["memory per home"] + 120
    assert least - 1 <= 100 * kept["rest, CPU per home"] <= most
