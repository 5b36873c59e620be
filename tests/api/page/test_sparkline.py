"""A day as a line: heights follow the numbers, gaps stay gaps."""

from api.page.sparkline import HEIGHT, bars, line, peaks


def test_the_highest_bar_is_as_high_as_the_box_and_the_lowest_can_be_seen() -> None:
    drawn = bars([0, 1000, None, 1, 250], "said")
    assert drawn.path == f"M3 {HEIGHT}v-{HEIGHT}M7 {HEIGHT}v-2M9 {HEIGHT}v-{HEIGHT // 2}"
    assert (drawn.width, drawn.height, drawn.label) == (10, HEIGHT, "said")
    assert bars([0, None], "").path == ""


def test_a_line_is_broken_where_nothing_is_known() -> None:
    path = line([0.0, 60.0, None, 5.0], 60.0, "").path
    assert path.startswith(f"M0 {HEIGHT - 0.5:g}h2L2 0.5h2M6 ")
    assert "4 " not in path.replace("M6", "")


def test_small_lags_stay_small_and_large_ones_fit() -> None:
    def top(values: list[float | None]) -> float:
        return min(
            float(part.split()[1].split("h")[0]) for part in line(values, 60.0, "").path[1:].split("L")
        )

    assert top([2.0]) > top([30.0]) > top([3600.0]) == 0.5


def test_the_top_of_a_scale_has_its_unit() -> None:
    assert bars([0, 1000], "").top == "1,000"
    assert line([2.0], 60.0, "").top == "60 s"
    assert peaks([None, 0.04, 7200.0], 1.0, "").top == "2 h"


def test_a_peak_is_drawn_even_for_a_very_small_value() -> None:
    assert peaks([None, 0.0, 1.0], 1.0, "").path == f"M3 {HEIGHT}v-2M5 {HEIGHT}v-{HEIGHT}"
