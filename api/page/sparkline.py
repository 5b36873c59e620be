"""Sparklines of a day: numbers by time slot, drawn as the data of SVG paths. An unknown number is a gap."""

import math
from collections.abc import Sequence

import msgspec

from api.page.wording import span_text

WIDTH_PER_SLOT = 2
HEIGHT = 28


class Sparkline(msgspec.Struct, frozen=True):
    """One path in a box of width x height, its meaning in words, and the value at its top with the unit."""

    path: str
    width: int
    height: int
    label: str
    top: str = ""


def bars(counts: Sequence[int | None], label: str) -> Sparkline:
    """A bar for each slot, the highest as high as the box; none for zero or unknown.

    On a square root scale, so that a first fill does not hide the rest of the day.
    """
    most = max((n for n in counts if n), default=1)
    parts = []
    for slot, count in enumerate(counts):
        if count:
            # Never too low to be visible.
            height = max(2, round(math.sqrt(count / most) * HEIGHT))
            parts.append(f"M{slot * WIDTH_PER_SLOT + 1} {HEIGHT}v-{height}")
    return Sparkline("".join(parts), len(counts) * WIDTH_PER_SLOT, HEIGHT, label, f"{most:,}")


def peaks(values: Sequence[float | None], floor: float, label: str) -> Sparkline:
    """A bar for each slot's seconds, on the scale of `line`; none where unknown."""
    most = max([floor, *(v for v in values if v is not None)])
    parts = []
    for slot, value in enumerate(values):
        if value is not None:
            height = max(2, round(math.log1p(max(value, 0.0)) / math.log1p(most) * HEIGHT))
            parts.append(f"M{slot * WIDTH_PER_SLOT + 1} {HEIGHT}v-{height}")
    return Sparkline("".join(parts), len(values) * WIDTH_PER_SLOT, HEIGHT, label, span_text(most))


def line(values: Sequence[float | None], floor: float, label: str) -> Sparkline:
    """A line on a logarithmic scale; its top is at least `floor`, so that small values stay small."""
    most = max([floor, *(v for v in values if v is not None)])
    top = math.log1p(most)
    parts = []
    is_drawing = False
    for slot, value in enumerate(values):
        if value is None:
            is_drawing = False
            continue
        y = round((HEIGHT - 1) * (1 - math.log1p(max(value, 0.0)) / top) + 0.5, 1)
        # Each slot has a width, so that a single one is a short stroke, not an invisible point.
        parts.append(f"{'L' if is_drawing else 'M'}{slot * WIDTH_PER_SLOT} {y:g}h{WIDTH_PER_SLOT}")
        is_drawing = True
    return Sparkline("".join(parts), len(values) * WIDTH_PER_SLOT, HEIGHT, label, span_text(most))
