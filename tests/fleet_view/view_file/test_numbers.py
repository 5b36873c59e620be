"""Numbers of homes and devices: the same in every view, each home's together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fleet_view.view_file.numbers import (
    LAST,
    SAME_HASH_MAX,
    first_choice,
    free_number,
    numbers_of_device,
    numbers_of_site,
    site_of,
)


@given(st.integers(0, (1 << 24) - 1), st.text())
def test_a_device_has_a_number_among_those_of_its_home(site: int, id_: str) -> None:
    first, last = numbers_of_device(site, id_)
    low, high = numbers_of_site(site)
    assert low <= first
    assert last == first + SAME_HASH_MAX - 1
    assert last <= high <= LAST < 1 << 63
    assert site_of(first) == site_of(last) == site


@pytest.mark.slow
def test_homes_whose_names_have_the_same_hash_get_different_numbers() -> None:
    first = free_number("home", ())
    assert first == first_choice("home")
    assert free_number("home", {first}) == first + 1
    assert free_number("home", set(range(first, 1 << 24))) == 0
