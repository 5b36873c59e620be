"""Names without their device's name, as Home Assistant itself strips it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.sources.answers.entity_names import names_as_of, without_device_name


@pytest.mark.parametrize(
    ("minor", "version"),
    [(1, (2024, 3)), (19, (2024, 3)), (20, (2026, 2)), (22, (2026, 4)), (24, (2026, 11)), (99, (2026, 11))],
)
def test_the_minor_version_of_a_store_names_the_rule(minor: int, version: tuple[int, int]) -> None:
    assert names_as_of(minor) == version


@pytest.mark.parametrize(
    ("name", "device", "listed"),
    [
        ("Slow device 00000 Humidity", "Slow device 00000", "Humidity"),
        ("Hall lamp power", "Hall Lamp", "Power"),
        ("Hall Lamp: power", "hall lamp", "Power"),
        ("Hall Lamp - iPhone", "Hall Lamp", "iPhone"),
        ("Hall Lamp", "Hall Lamp", ""),
        ("Hall Lamplight", "Hall Lamp", "Hall Lamplight"),
        ("Hall", "Hall Lamp", "Hall"),
        ("Straße Licht", "STRASSE", "Licht"),
        ("Maß Licht", "mas", "Maß Licht"),
        ("Power", None, "Power"),
        ("Power", "", "Power"),
        (None, "Hall Lamp", None),
    ],
)
def test_a_listed_name_lacks_its_devices_name(
    name: str | None, device: str | None, listed: str | None
) -> None:
    assert without_device_name(name, device) == listed


@given(st.text(), st.text(min_size=1))
def test_the_devices_name_is_stripped(rest: str, device: str) -> None:
    listed = without_device_name(f"{device} {rest}", device)

    assert listed is not None
    assert listed.casefold() == rest.lstrip(" -:").casefold()
