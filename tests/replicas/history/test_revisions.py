"""Revisions: what an operation appends, and how an altered revision is read."""

from engine.core.compare.diff import Cause, Difference
from engine.core.compare.plan import Action, Operation
from engine.core.records.record_json import encode_record
from engine.ports import Run
from engine.replicas.history.revisions import (
    digest_revision,
    draft_revisions,
    encode_revisions,
    payload_fields,
    versions_of,
)
from tests.homes import NOON, entity, snapshot

KEY = entity(1).key
HASH = snapshot(entity(1)).home.hashes[KEY]
RUN = Run("run", NOON, "test", "2026.11.0")


def operation(cause: Cause, observed: str | None) -> Operation:
    return Operation(Action.UPSERT, Difference(KEY, cause, HASH, observed, None), None, entity(1))


def test_the_cause_of_a_write_names_its_revision() -> None:
    ops = [draft_revisions(operation(*given), RUN)[0].op for given in (
        (Cause.PENDING, None), (Cause.PENDING, "1:0"), (Cause.CONFLICT, "1:0"), (Cause.DRIFT, "1:0"), (Cause.DRIFT, None),
    )]  # fmt: skip
    assert ops == ["create", "update", "update", "repair", "repair"]


def test_revisions_of_one_commit_are_a_nanosecond_and_a_number_apart() -> None:
    drafts = draft_revisions(operation(Cause.PENDING, None), RUN) * 2
    rows = list(encode_revisions(drafts, RUN, first_ns=7, revs={KEY: 3}))
    assert [(row[0], row[4]) for row in rows] == [(7, 4), (8, 5)]


def test_a_version_is_the_hash_only_while_digest_and_payload_agree() -> None:
    payload = encode_record(entity(1)).decode()
    digest = digest_revision(*KEY, HASH, payload)
    other = entity(2, id="other")
    rows = {
        "untouched": (*KEY, HASH, payload, digest),
        "tombstone": (*KEY, "-", "", digest_revision(*KEY, "-", "")),
        "older hash version": (*KEY, "0:1", payload, digest_revision(*KEY, "0:1", payload)),
        "another record's payload": (*KEY, HASH, encode_record(other).decode(), digest),
        "unknown registry": ("planet", "x", HASH, payload, digest),
    }
    found = {name: [version for _, version in versions_of([row])] for name, row in rows.items()}
    assert found["untouched"] == found["older hash version"] == [HASH]
    assert found["tombstone"] == []
    assert found["another record's payload"][0].startswith("?:")
    assert found["unknown registry"][0].startswith("?:")


def test_a_payload_that_is_no_record_is_shown_unchanged() -> None:
    assert payload_fields("entity", '{"a": 1}') == {"a": 1}
    assert payload_fields("entity", "junk") == {"payload": "junk"}
    assert payload_fields("entity", "") == {}
