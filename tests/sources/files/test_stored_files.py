"""What registry files hold, before any row is looked at."""

import json
from typing import Any

import pytest

from engine.core.records.record import Key
from engine.errors import SourceInvalid
from engine.sources.files.stored_files import StorageFiles, StoredFile, corrupt_stores_of, open_files

STORES: dict[str, dict[str, Any]] = {
    "core.device_registry": {
        "version": 1,
        "minor_version": 12,
        "data": {"devices": [{"id": "d"}], "deleted_devices": [{"id": "gone"}, 5]},
    },
    "core.category_registry": {"version": 1, "data": {"categories": {"script": [{}], "helpers": []}}},
}


def files_of(stores: dict[str, Any], *names: str) -> StorageFiles:
    contents = {name: StoredFile(json.dumps(store).encode(), 10.0) for name, store in stores.items()}
    return StorageFiles("here", contents, frozenset(names))


def test_rows_stay_undecoded_and_categories_know_their_scope() -> None:
    found = open_files(files_of(STORES))
    lists = {listed.name: (listed.registry, len(listed.rows), listed.given) for listed in found.lists}
    assert lists["device"] == ("device", 1, {})
    assert lists["child device"] == ("device", 0, {})
    assert lists["category script"] == ("category", 1, {"scope": "script"})
    assert lists["category helpers"] == ("category", 0, {"scope": "helpers"})
    assert found.minors == {"device": 12, "category": 1}
    assert found.entity_minor == 1
    assert found.deleted == {Key("device", "gone")}


@pytest.mark.parametrize(
    ("store", "named"),
    [
        ({"version": 9, "data": {}}, "version 9.1"),
        ({"data": {}}, "has no version"),
        ([], "core.device_registry"),
    ],
)
def test_an_invalid_file_is_refused_by_name(store: object, named: str) -> None:
    with pytest.raises(SourceInvalid, match=named):
        open_files(files_of({"core.device_registry": store}))


def test_a_corrupt_file_counts_until_the_issues_were_saved_without_it() -> None:
    name = "core.device_registry.corrupt.1970-01-01T00:00:05+00:00"
    issues = {"version": 1, "data": {"issues": []}}
    assert corrupt_stores_of(files_of({}, name)) == (("core.device_registry",), ())
    assert corrupt_stores_of(files_of({"repairs.issue_registry": issues}, name)) == ((), ())
