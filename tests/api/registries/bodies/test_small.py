"""Bodies made from columns by name."""

from api.registries.bodies.small import SMALL, AreaBody, CategoryBody, Integration, Subentry

AREAS, CATEGORIES, INTEGRATIONS = (SMALL[name] for name in ("area", "category", "config_entry"))


def test_a_body_takes_its_columns_in_order() -> None:
    assert CATEGORIES.columns == ("scope", "category_id", "name", "icon", "last_seen")
    made = CATEGORIES.of_row(("helpers/1", "helpers", "1", "Name", None, "2026-11-23 12:00:00.000000"))
    assert made == CategoryBody("helpers", "1", "Name", None, "2026-11-23T12:00:00.000000Z")


def test_lists_and_flags_are_never_null() -> None:
    area = AREAS.of_row((None,) * 12)
    assert isinstance(area, AreaBody)
    assert (area.aliases, area.labels) == ([], [])
    entry = INTEGRATIONS.of_row((None,) * 10)
    assert isinstance(entry, Integration)
    assert entry.pref_disable_polling is False


def test_subentries_are_those_that_were_stored_or_null() -> None:
    index = 1 + INTEGRATIONS.columns.index("subentries")
    for stored, shown in (
        (None, None),
        ('[{"subentry_id":"s","subentry_type":"agent","title":"Bert"}]', [Subentry("s", "agent", "Bert")]),
        ("[3]", None),
    ):
        row = (*(None,) * index, stored, *(None,) * (9 - index))
        entry = INTEGRATIONS.of_row(row)
        assert isinstance(entry, Integration)
        assert entry.subentries == shown
