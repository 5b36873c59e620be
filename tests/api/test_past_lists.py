"""Every filter of a list is there in the past."""

from api.http.queries import (
    AreasQuery,
    CategoriesQuery,
    DevicesQuery,
    EntitiesQuery,
    IntegrationsQuery,
    ListQuery,
)
from api.past_lists import _FILTERS


def test_every_filter_of_now_is_there_then() -> None:
    queries = (DevicesQuery, EntitiesQuery, AreasQuery, CategoriesQuery, IntegrationsQuery)
    names = {name for query in queries for name in query.__struct_fields__}
    assert names - {*ListQuery.__struct_fields__, "limit", "after", "at"} == set(_FILTERS)
