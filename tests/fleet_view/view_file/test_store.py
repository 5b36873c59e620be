"""The view's file as a whole: kept while it is of use, and rebuilt otherwise."""

from pathlib import Path

import apsw
import msgspec
import pytest

from engine.errors import ReplicaDamaged, ReplicaError, ReplicaRejected
from engine.fleet_view.view_file.schema import TopicsIdentity
from engine.fleet_view.view_file.store import ViewStore
from engine.fleet_view.view_file.writing import Batch
from tests.fleet_view.viewed import DEVICES, IDENTITY, PARTITIONS, opened, reader_of, said_device, send
from tests.homes import NOON

DAY = 86_400.0


def positions(count: int, at: float | None = None) -> Batch:
    return Batch([], [], [], {(DEVICES, 1): count}, at)


def begun(folder: Path, identity: TopicsIdentity = IDENTITY, at: float = NOON) -> dict[tuple[str, int], int]:
    store = ViewStore(folder / "view.db", lambda: at)
    try:
        return store.begin(identity)
    finally:
        store.close()


def test_reading_goes_on_where_it_was(tmp_path: Path) -> None:
    store = opened(tmp_path)
    assert store.as_of("p", PARTITIONS) is None
    store.apply(positions(7, NOON))
    assert store.as_of("p", PARTITIONS) == NOON
    assert store.as_of("q", PARTITIONS) is store.as_of("p", PARTITIONS + 1) is None
    store.rest()
    store.close()
    assert begun(tmp_path) == {(DEVICES, 1): 7}
    assert begun(tmp_path, at=NOON + DAY) == {(DEVICES, 1): 7}


@pytest.mark.parametrize("at", [NOON + 4 * DAY, NOON - DAY])
def test_a_file_that_may_have_missed_a_delete_is_read_again(tmp_path: Path, at: float) -> None:
    store = opened(tmp_path)
    store.apply(positions(7, NOON))
    store.close()
    assert begun(tmp_path, at=at) == {}


@pytest.mark.parametrize(
    "other",
    [{"prefix": "q"}, {"partitions": 8}, {"topics": {DEVICES: "other"}}],
    ids=lambda other: next(iter(other)),
)
def test_other_topics_mean_another_file(tmp_path: Path, other: dict[str, object]) -> None:
    store = opened(tmp_path)
    send(store, said_device("a", "d1"), at=NOON)
    store.close()
    assert begun(tmp_path, msgspec.structs.replace(IDENTITY, **other)) == {}


def test_a_discarded_file_is_replaced_with_the_same_topics(tmp_path: Path) -> None:
    store = opened(tmp_path)
    store.apply(positions(7, NOON))
    before = store.revision
    store.discard()
    assert store.begin(IDENTITY) == {}
    assert store.as_of("p", PARTITIONS) is None
    assert store.revision > before


def test_a_damaged_file_of_a_view_is_replaced(tmp_path: Path) -> None:
    store = opened(tmp_path)
    send(store, *(said_device("a", f"d{number}") for number in range(500)), at=NOON)
    store.rest()
    store.close()
    path = tmp_path / "view.db"
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * 4000 + content[4100:])
    assert begun(tmp_path) == {}
    send(opened(tmp_path), said_device("a", "d1"))


def test_damage_that_is_found_while_writing_ends_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = opened(tmp_path)
    store.apply(positions(7, NOON))

    def fail(*_: object) -> bool:
        raise apsw.CorruptError("damaged")

    with monkeypatch.context() as patch:
        patch.setattr("engine.fleet_view.view_file.writing.ViewWriter.write", fail)
        with pytest.raises(ReplicaDamaged):
            store.apply(positions(8))
    assert store.begin(IDENTITY) == {}
    store.apply(positions(8))


def test_a_file_of_another_program_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "view.db"
    path.write_bytes(b"no database, but somebody's" * 1000)
    with pytest.raises(ReplicaError):
        begun(tmp_path)
    assert path.read_bytes().startswith(b"no database")
    path.unlink()
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE devices (device_id)")
    other.close()
    with pytest.raises(ReplicaRejected, match="view_file"):
        begun(tmp_path)


def test_a_failed_write_changes_nothing_and_needs_a_new_beginning(tmp_path: Path) -> None:
    store = opened(tmp_path)
    send(store, said_device("a", "d1"), at=NOON)
    with pytest.raises(ReplicaError):
        store.apply(positions(2**70))
    with pytest.raises(AssertionError):
        store.apply(positions(1))
    store.begin(IDENTITY)
    store.apply(positions(1))


def test_the_file_is_its_owners_alone(tmp_path: Path) -> None:
    reader_of(tmp_path, said_device("a", "d1")).close()
    assert (tmp_path / "view.db").stat().st_mode & 0o777 == 0o600
