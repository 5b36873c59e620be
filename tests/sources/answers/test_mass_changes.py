"""Corrupt stores and composite splits, as Home Assistant reports them."""

from engine.sources.answers.mass_changes import corrupt_stores_of_issues, corrupted_at, order_split


def test_repair_issues_name_the_corrupt_registry_stores() -> None:
    issues = [
        "storage_corruption_core.device_registry_2026-11-23T11:00:00.123456+00:00",
        "storage_corruption_lovelace_2026-11-23T11:00:00+00:00",
        "deprecated_yaml",
    ]

    assert corrupt_stores_of_issues(issues) == ("core.device_registry",)


def test_a_renamed_store_shows_when_it_was_found_corrupt() -> None:
    assert corrupted_at("core.entity_registry.corrupt.2026-11-23T11:00:00") == (
        "core.entity_registry",
        "2026-11-23T11:00:00",
    )
    assert corrupted_at("core.entity_registry") is None
    assert corrupted_at("lovelace.corrupt.2026-11-23T11:00:00") is None


def test_the_primary_of_a_split_comes_first() -> None:
    assert order_split(["c", "a", "b"], "b") == ("b", "a", "c")
    assert order_split(["c", "a"], None) == ("a", "c")
