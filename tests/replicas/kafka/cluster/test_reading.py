"""Which messages are read in one request."""

import pytest

from engine.replicas.kafka.cluster.reading import stretches


@pytest.mark.parametrize(
    ("offsets", "found"),
    [
        ([], []),
        ([5], [(5, 5)]),
        ([1, 2, 900], [(1, 900)]),
        ([1, 1001, 2002, 5000], [(1, 1001), (2002, 2002), (5000, 5000)]),
    ],
)
def test_offsets_that_are_near_each_other_are_read_in_one_go(
    offsets: list[int], found: list[tuple[int, int]]
) -> None:
    assert list(stretches(offsets)) == found
