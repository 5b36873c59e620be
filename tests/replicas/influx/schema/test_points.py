"""Records as lines: any text returns, times increase, batches have bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.core.records.record import Key
from engine.errors import ReplicaRejected
from engine.replicas.influx.schema.points import (
    FIELD_TYPES,
    TOMBSTONE,
    TOMBSTONE_PAYLOAD,
    CommitClock,
    Point,
    RunMarker,
    batches,
    encode_marker,
    encode_point,
    id_of,
    key_of,
    live_digest,
    tag_of,
)
from tests.fakes.influxdb import parse_line

KEY = Key("device", "d1")
ANY_TEXT = st.text(st.characters(), max_size=20)


@given(ANY_TEXT)
def test_an_id_of_any_characters_becomes_a_tag_and_returns(id_: str) -> None:
    tag = tag_of(id_)
    assert id_of(tag) == id_
    assert tag
    assert not tag.endswith("\\")
    assert all(ord(c) >= 32 for c in tag)


@given(st.text(max_size=20), st.text(max_size=20))
def test_two_ids_have_two_tags(one: str, other: str) -> None:
    assert (tag_of(one) == tag_of(other)) == (one == other)


@pytest.mark.parametrize("id_", ["0123456789abcdef", "light.küche", "automation/01J", "a b,c=d"])
def test_ordinary_ids_are_their_own_tags(id_: str) -> None:
    assert tag_of(id_) == id_


SHOWN = ('A "lamp"', "-", "kitchen", "-", "X", "1.0", "-", "-")


def test_a_point_has_every_field_with_its_type() -> None:
    line = encode_point(
        "home",
        "run1",
        Point(KEY, 1_795_435_200_000_000_123, "create", 1, "1:ab", b'{"a":1}', 5, shown=SHOWN),
    )
    assert line == (
        b'ha_device,site=home,id=d1 name="A \\"lamp\\"",entity_id="-",area="kitchen",manufacturer="-",model="X",'
        b'sw_version="1.0",platform="-",disabled_by="-",hash="1:ab",deleted=false,op="create",rev=1i,run="run1",modified_us=5i,schema=1i,'
        b'payload="{\\"a\\":1}" 1795435200000000123'
    )


def test_a_tombstone_is_marked_and_has_an_empty_payload() -> None:
    point = Point(KEY, 5, "delete", 3, TOMBSTONE, TOMBSTONE_PAYLOAD)
    _, _, fields, _ = parse_line(encode_point("home", "run1", point))
    assert (fields["deleted"], fields["payload"], fields["hash"], fields["modified_us"]) == (
        True,
        "{}",
        "-",
        -1,
    )
    assert set(fields) == set(FIELD_TYPES)


@given(st.text(max_size=20), st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60))
def test_a_line_reads_back_as_the_point(id_: str, text: str) -> None:
    payload = text.replace("\n", "\\n").encode()
    line = encode_point("home", "r", Point(Key("label", id_), 7, "update", 2, "1:ab", payload))
    assert b"\n" not in line
    measurement, tags, fields, time_ns = parse_line(line)
    assert (measurement, time_ns, tags["site"]) == ("ha_label", 7, "home")
    assert id_of(tags["id"]) == id_
    assert fields["payload"] == payload.decode()


def test_rows_without_an_id_have_no_key() -> None:
    assert key_of("ha_device", None) is None
    assert key_of("ha_device", "") is None
    assert key_of("ha_device", "d1") == KEY
    assert key_of("ha_device", "%ff") == Key("device", "%ff")  # no text of ours, but still to be reported


@given(st.lists(st.tuples(st.floats(0, 4e9), st.integers(0, 4 * 10**18)), max_size=30), st.integers(0, 999))
def test_times_increase_and_follow_the_keys_own_newest(steps: list[tuple[float, int]], slot: int) -> None:
    clock = CommitClock(slot)
    last = 0
    for now, own in steps:
        time_ns = clock.next_ns(now, own)
        assert time_ns > own
        assert time_ns % 1000 == slot
        if own < last:
            assert time_ns > last or own // 1000 >= last // 1000
        last = max(last, clock._last_us * 1000)


def test_a_clock_that_went_back_does_not_go_back() -> None:
    clock = CommitClock(3)
    clock.seed(5_000_000_000)
    assert clock.next_ns(1.0) == 5_000_001_003
    assert clock.next_ns(9.0) == 9_000_000_003


def test_a_point_of_the_far_future_moves_its_own_key_only() -> None:
    clock = CommitClock(0)
    future = 4_000_000_000_000_000_000
    assert clock.next_ns(10.0, future) > future
    assert clock.next_ns(10.0) == 10_000_000_000


def test_behind_the_end_of_time_nothing_is_written() -> None:
    with pytest.raises(ReplicaRejected, match="Delete the points of the far future"):
        CommitClock(0).next_ns(10.0, 2**63 - 2)


@pytest.mark.parametrize("slot", [-1, 1000])
def test_a_slot_out_of_range_is_refused(slot: int) -> None:
    with pytest.raises(ValueError, match="0 to 999"):
        CommitClock(slot)


@given(st.lists(st.binary(max_size=30)), st.integers(1, 5), st.integers(1, 60))
def test_batches_keep_order_and_bounds(lines: list[bytes], lines_max: int, bytes_max: int) -> None:
    cut = batches(lines, lines_max, bytes_max)
    assert [line for batch in cut for line in batch] == lines
    assert all(0 < len(batch) <= lines_max for batch in cut)
    assert all(len(batch) == 1 or sum(len(line) + 1 for line in batch) <= bytes_max for batch in cut)


def test_the_digest_ignores_order_and_sees_every_record() -> None:
    one, other = Key("device", "a"), Key("entity", "a")
    assert live_digest({one: "1:x", other: "1:y"}) == live_digest({other: "1:y", one: "1:x"})
    assert len({live_digest(v) for v in ({}, {one: "1:x"}, {other: "1:x"}, {one: "1:y"})}) == 4


def test_a_marker_has_every_field() -> None:
    marker = RunMarker(
        time_ns=9, run='r"1', state="commit", created=1, live=7, digest="ab", window_seconds=60
    )
    measurement, tags, fields, time_ns = parse_line(encode_marker("home", "0.1.0", marker))
    assert (measurement, tags, time_ns) == ("ha_run", {"site": "home"}, 9)
    assert fields == {
        "run": 'r"1', "state": "commit", "n_create": 1, "n_update": 0, "n_delete": 0, "n_refresh": 0, "n_live": 7,
        "digest": "ab", "window_s": 60, "engine": "0.1.0",
    }  # fmt: skip
