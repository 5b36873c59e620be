"""Bodies made from columns by name."""

from api.small_registries import Area, Category, Integration, columns_for, row_maker


def test_a_body_takes_its_columns_in_order() -> None:
    assert columns_for(Category) == ("scope", "category_id", "name", "icon", "last_seen")
    made = row_maker(Category)(("helpers/1", "helpers", "1", "Name", None, "2026-11-23 12:00:00.000000"))
    assert made == Category("helpers", "1", "Name", None, "2026-11-23T12:00:00.000000Z")


def test_lists_and_flags_are_never_null() -> None:
    area = row_maker(Area)((None,) * 11)
    assert isinstance(area, Area)
    assert (area.aliases, area.labels) == ([], [])
    entry = row_maker(Integration)((None,) * 9)
    assert isinstance(entry, Integration)
    assert entry.pref_disable_polling is False
