"""The changes between two listings: the same whether the caller gives them or they are computed."""

from engine.sources.answers.interning import Interner
from engine.sources.answers.listing import Known, Listing, known_record
from tests.homes import device


def row(number: int) -> Known:
    return known_record(device(number), Interner())


def test_changes_are_found_by_the_rows_themselves() -> None:
    one, two, three = row(1), row(2), row(3)
    assert Listing([three, one]).changes_since(Listing([one, two])) == ([three], [two])
    assert Listing([two, one]).changes_since(Listing([one, two])) == ([], [])


def test_an_equal_row_that_was_read_again_is_a_change() -> None:
    before, after = row(1), row(1)
    added, gone = Listing([after]).changes_since(Listing([before]))
    assert added[0] is after
    assert gone[0] is before


def test_given_changes_apply_to_the_previous_listing_only() -> None:
    one, two, three = row(1), row(2), row(3)
    first = Listing([one])
    second = first.then([one, two], [two], [])
    third = second.then([one, three], [three], [two])

    assert third.changes_since(second) == ([three], [two])
    assert third.changes_since(first) == ([three], [])
    assert (len(third), three in third, list(third)) == (2, True, [one, three])
