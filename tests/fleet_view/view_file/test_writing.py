"""What messages leave in the file: the newest of each device, counts that are exact, and one owner's word of each home."""

from collections import Counter
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import apsw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from engine.fleet_view.folding import Folding
from engine.fleet_view.view_file import numbers, writing
from engine.fleet_view.view_file.reading import FileTransaction, ViewReader
from engine.fleet_view.view_file.schema import make_tables, read_rows
from engine.fleet_view.view_file.words import words_of
from engine.fleet_view.view_file.writing import Batch, ViewWriter, counts_in, positions_in
from tests.fleet_view.viewed import (
    IDENTITY,
    NAMES,
    PARTITIONS,
    gone_device,
    opened,
    raw,
    reader_of,
    removed_site,
    said_device,
    said_site,
    send,
)
from tests.homes import NOON

ALL = ViewedDevicesQuery(limit=1000)


def names(reader: ViewReader, **query: Any) -> list[str]:
    with reader.transaction() as transaction:
        found, _ = transaction.devices(ViewedDevicesQuery(limit=1000, **query))
    return sorted(device.name or "" for device in found)


def test_the_newest_message_of_a_device_holds(tmp_path: Path) -> None:
    reader = reader_of(
        tmp_path,
        said_device("a", "d1", "Old"),
        said_device("a", "d2", "Gone"),
        said_device("a", "d1", "New"),
        gone_device("a", "d2"),
        gone_device("a", "never"),
    )
    assert names(reader) == ["New"]
    assert names(reader, q="old") == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("1234"),
            st.none() | st.sampled_from(("Lamp", "Küche 2", "x y z")),
            st.sampled_from(("Hue", "Innr", None)),
        ),
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_counts_words_and_index_are_those_of_the_devices(
    steps: list[tuple[str, str, str | None, str | None]], size: int
) -> None:
    """Whatever the order and however it is cut into transactions."""
    connection = apsw.Connection(":memory:")
    make_tables(connection, IDENTITY, NOON)
    writer = ViewWriter(connection)
    held: dict[tuple[str, str], tuple[str, str | None]] = {}
    for start in range(0, len(steps), size):
        folding = Folding(NAMES, PARTITIONS)
        for site, id_, name, model in steps[start : start + size]:
            folding.read(
                [gone_device(site, id_) if name is None else said_device(site, id_, name, model=model)],
                NOON,
            )
            held.pop((site, id_), None)
            if name is not None:
                held[site, id_] = (name, model)
        writer.write(connection, folding.take({}, None))
    found = FileTransaction(connection)
    assert {(d.site, d.id): (d.name, d.model) for d in found.devices(ALL)[0]} == held
    counted = {m.model: (m.devices, m.sites) for m in found.models(ViewedModelsQuery())[0]}
    devices = Counter(model for _, model in held.values())
    sites = Counter(model for _, model in {(site, model) for (site, _), (_, model) in held.items()})
    assert counted == {model: (devices[model], sites[model]) for model in devices}
    words = Counter(
        word for name, model in held.values() for word in words_of((name, model, "Signify", "1.2"))
    )
    assert dict(read_rows(connection, "SELECT word, devices FROM word")) == words
    for word, count in words.items():
        rows = read_rows(connection, "SELECT count(*) FROM search WHERE search MATCH ?", (f'"{word}"',))
        assert rows == [(count,)]


def test_devices_whose_ids_have_the_same_hash_are_distinguished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numbers, "crc32", lambda _: 7)
    ids = [f"d{number}" for number in range(numbers.SAME_HASH_MAX)]
    store = opened(tmp_path)
    send(store, *(said_device("a", id_, id_) for id_ in ids))
    send(store, gone_device("a", "d5"), said_device("a", "d9", "nine"), at=NOON)
    reader = ViewReader(tmp_path / "view.db")
    assert names(reader) == sorted({*ids, "nine"} - {"d5", "d9"})
    send(store, said_device("a", "d5", "five"), said_device("a", "one more"))
    assert len(names(reader)) == numbers.SAME_HASH_MAX
    with reader.transaction() as transaction:
        assert transaction.oddities()["unreadable"] == 1


def test_homes_beyond_the_most_are_left_out_and_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "SITES_MAX", 2)
    reader = reader_of(tmp_path, *(said_device(site, "d1", site) for site in "abcd"), said_site("e"))
    assert names(reader) == ["a", "b"]
    with reader.transaction() as transaction:
        assert transaction.oddities() == {"foreign": 0, "newer": 0, "unreadable": 2}


def test_models_are_found_again_when_they_were_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writing, "_MODELS_KEPT", 1)
    reader = reader_of(tmp_path, *(said_device("a", f"d{n}", model=f"m{n % 3}") for n in range(9)))
    with reader.transaction() as transaction:
        models, total = transaction.models(ViewedModelsQuery())
    assert (total, [(model.model, model.devices) for model in models]) == (
        3,
        [("m0", 3), ("m1", 3), ("m2", 3)],
    )


def test_of_two_owners_the_one_with_the_larger_claim_has_the_word(tmp_path: Path) -> None:
    store = opened(tmp_path)
    reader = ViewReader(tmp_path / "view.db")

    def status() -> list[str]:
        with reader.transaction() as transaction:
            return [site.status for site in transaction.sites(ViewedSitesQuery(), NOON)]

    messages = [said_site("a", "blocked", claim=5), said_site("a", "in_sync", claim=4)]
    send(store, *messages)
    assert status() == ["blocked"]
    store.begin(IDENTITY)
    send(store, said_site("a", "in_sync", claim=4), removed_site("a", claim=4))
    assert status() == ["blocked"]
    send(store, removed_site("a", claim=5))
    assert status() == []
    send(store, said_site("a", "in_sync", claim=4))
    assert status() == []
    send(store, said_site("a", "in_sync", claim=6))
    assert status() == ["in_sync"]


def test_what_was_counted_and_how_far_it_was_read_is_kept() -> None:
    connection = apsw.Connection(":memory:")
    make_tables(connection, IDENTITY, NOON)
    writer = ViewWriter(connection)
    foreign = Folding(NAMES, PARTITIONS)
    foreign.read([raw(NAMES.of("device"), b"x", b"", "a")] * 3, NOON)
    assert not writer.write(connection, foreign.take({("t", 0): 3}, None))
    assert not writer.write(connection, Batch([], [], [], {("t", 0): 4, ("t", 1): 1}, NOON + 1))
    assert positions_in(connection) == {("t", 0): 4, ("t", 1): 1}
    assert dict(counts_in(connection)) == {"foreign": 3, "begun_at": NOON, "as_of": NOON + 1}


def test_only_changes_to_answers_about_devices_are_reported_as_different(tmp_path: Path) -> None:
    """A fleet of 10,000 homes says 167 times a second how one of them is."""
    store = opened(tmp_path)
    send(store, said_site("a", tags=("west",)), said_device("a", "d1"))
    revisions = [store.revision]
    for entry in (
        said_site("a", "blocked", tags=("west",), claim=2),
        said_site("b"),
        said_site("a", tags=("east",), claim=2),
        said_device("a", "d2"),
        gone_device("a", "d1"),
        removed_site("a", claim=2),
        removed_site("a", claim=2),
    ):
        send(store, entry)
        revisions.append(store.revision)
    steps = [after - before for before, after in pairwise(revisions)]
    assert steps == [0, 0, 1, 1, 1, 1, 0]
    store.begin(IDENTITY)
    send(store, said_site("b", tags=("west",)))
    assert store.revision == revisions[-1] + 1


def test_a_replay_in_any_order_of_homes_gives_the_same_pages(tmp_path: Path) -> None:
    entries = [said_device(f"home-{n % 20}", f"d{n}", f"Lamp {n}") for n in range(200)]
    shuffled = Random(1).sample(entries, len(entries))
    pages = []
    for folder, said in (("one", entries), ("two", shuffled)):
        with reader_of(tmp_path / folder, *said).transaction() as transaction:
            pages.append(transaction.devices(ViewedDevicesQuery(limit=50, after="home-3/d43")))
    assert pages[0] == pages[1]
