"""Query strings become structs; errors name the parameter."""

import msgspec
import pytest
from msgspec import UNSET

from api.http.problems import Problem
from api.http.queries import ChangesQuery, DevicesQuery, EntitiesQuery, NoQuery, parse_query


def refused(query: bytes, type_: type[msgspec.Struct]) -> str:
    with pytest.raises(Problem) as error:
        parse_query(query, type_)
    assert error.value.status == 400
    return error.value.detail


def test_nothing_given_is_the_defaults() -> None:
    assert parse_query(b"", DevicesQuery) == DevicesQuery()
    assert parse_query(b"", EntitiesQuery).disabled is UNSET


def test_values_are_typed() -> None:
    query = parse_query(b"limit=7&disabled=true&label=a&label=b%2Bc&alias=%C3%A4+x", EntitiesQuery)
    assert (query.limit, query.disabled, query.label, query.alias) == (7, True, ("a", "b+c"), "ä x")
    assert parse_query(b"wait=1.5&after=3", ChangesQuery).wait == 1.5


@pytest.mark.parametrize(
    ("query", "named"),
    [
        (b"limit=0", "limit"),
        (b"limit=10001", "limit"),
        (b"limit=ten", "limit"),
        (b"limit=", "limit"),
        (b"limit=null", "limit"),
        (b"limit=1&limit=2", "more than once: limit"),
        (b"offset=1&page=2", "Unknown query parameter: offset, page"),
        (b"limit=1;DROP", "limit"),
        (b"at=yesterday", "at"),
        (b"at=2026-11-23T12:00:00", "at"),
        (b"at=9999-12-31T23:59:59Z", "1970 to 2261"),
        (b"at=2262-01-01T00:00:00Z", "1970 to 2261"),
        (b"at=0001-01-01T00:00:00%2B14:00", "1970 to 2261"),
        (b"at=1969-12-31T23:59:59Z", "1970 to 2261"),
        (b"label=" + b"x" * 256, "label"),
    ],
)
def test_errors_name_the_parameter(query: bytes, named: str) -> None:
    assert named in refused(query, DevicesQuery)


def test_a_refused_time_is_named_as_it_was_given() -> None:
    said = refused(b"at=2261-12-31T23:59:59-14:00", DevicesQuery)
    assert "nothing can be known of 2261-12-31T23:59:59-14:00" in said
    assert said.endswith("Ask for 1970 to 2261, in UTC.")


def test_bounds_of_changes() -> None:
    for query in (
        b"wait=31",
        b"wait=-1",
        b"wait=nan",
        b"wait=inf",
        b"after=-1",
        b"registry=state",
        b"limit=1e99",
    ):
        refused(query, ChangesQuery)


def test_a_route_without_parameters_takes_none() -> None:
    assert "Known here: none" in refused(b"verbose=1", NoQuery)
    assert "Known here" in refused(b"=x", NoQuery)


def test_an_unknown_parameter_is_answered_with_all_that_are_known() -> None:
    reported = refused(b"firmware=9", DevicesQuery)
    assert all(name in reported.partition("Known here: ")[2] for name in ("area_id", "q", "sw_version"))


def test_of_many_unknown_parameters_only_some_are_repeated() -> None:
    reported = refused("&".join(f"x{number:03}=1" for number in range(100)).encode(), NoQuery)
    assert ("x009" in reported, "x010" in reported) == (True, False)


def test_too_many_labels() -> None:
    assert "label" in refused(b"&".join([b"label=a"] * 21), EntitiesQuery)
