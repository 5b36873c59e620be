"""The drift report over HTTP: the pass's own struct, a status that ages, pages, one record."""

from pathlib import Path

import msgspec
import pytest

from api.state.drift import Drift
from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action, FieldChange
from engine.core.state.report import ErrorReport, RecordReport, Report
from engine.core.state.status import ReplicaStatus, SourceStatus
from engine.core.times import encode_document
from engine.core.words import Outcome, SyncStatus
from tests.api.serving import Api, status_of


def record(replica: str, registry: str, key: str, kind: Kind, *fields: FieldChange) -> RecordReport:
    return RecordReport(
        replica=replica,
        registry=registry,
        key=key,
        name=key,
        kind=kind,
        cause=Cause.DRIFT,
        action=Action.UPSERT,
        outcome=Outcome.APPLIED,
        fields=fields,
        source_hash="a",
        replica_hash="b",
        applied_hash="a",
        since=None,
    )


RECORDS = (
    record("sqlite", "device", "d1", Kind.STALE, FieldChange("name", "Real", "Mocked")),
    record("influxdb", "category", "helpers/c1", Kind.MISSING),
    record("sqlite", "entity", "e1", Kind.ORPHANED),
    record(
        "sqlite", "entity", "e0", Kind.STALE, FieldChange("options", {"lock": {"default_code": "1"}}, None)
    ),
)


@pytest.fixture
def report(sample: tuple[Path, Report]) -> Report:
    return msgspec.structs.replace(sample[1], records=RECORDS)


def test_it_has_every_field_of_the_report() -> None:
    assert set(Report.__struct_fields__) <= set(Drift.__struct_fields__)


async def test_it_is_the_report_of_the_last_pass(api: Api, report: Report) -> None:
    api.status = status_of(report)
    body = await api.get("/api/drift")
    own = msgspec.json.decode(encode_document(report))
    assert {k: v for k, v in body.items() if k in own and k != "records"} == {
        k: v for k, v in own.items() if k != "records"
    }
    assert (body["status"], body["age_seconds"], body["total"]) == ("in_sync", 12.5, 4)
    assert [r["key"] for r in body["records"]] == ["helpers/c1", "d1", "e0", "e1"]


async def test_pages_and_filters(api: Api, report: Report) -> None:
    api.status = status_of(report)
    keys, after = [], ""
    while True:
        body = await api.get(f"/api/drift?limit=1&after={after}")
        keys += [r["key"] for r in body["records"]]
        after = body["next"]
        if after is None:
            break
    assert keys == ["helpers/c1", "d1", "e0", "e1"]
    for query, found in {
        "replica=sqlite": ["d1", "e0", "e1"],
        "registry=entity": ["e0", "e1"],
        "kind=stale": ["d1", "e0"],
        "replica=sqlite&registry=entity&kind=orphaned": ["e1"],
    }.items():
        body = await api.get(f"/api/drift?{query}")
        assert [r["key"] for r in body["records"]] == found
        assert body["total"] == len(found)
    await api.get("/api/drift?kind=odd", 400)


async def test_the_drift_of_an_unknown_replica_or_registry_is_not_found(api: Api) -> None:
    problem = await api.get("/api/drift?replica=nope", 404)
    assert problem["detail"] == "There is no replica 'nope'. Known here: sqlite."
    assert (await api.get("/api/drift/nope/device/a", 404))["detail"].startswith("There is no replica 'nope'")
    assert (await api.get("/api/drift/sqlite/lamp/a", 404))["detail"].startswith(
        "There is no registry 'lamp'"
    )
    api.status = msgspec.structs.replace(api.status, report=None)
    await api.get("/api/drift?replica=sqlite")
    await api.get("/api/drift?replica=nope", 404)
    await api.get("/api/drift?target=sqlite", 400)


async def test_one_record_before_and_after(api: Api, report: Report) -> None:
    api.status = status_of(report)
    body = await api.get("/api/drift/sqlite/device/d1")
    assert (body["before"], body["after"]) == ({"name": "Mocked"}, {"name": "Real"})
    assert (body["record"]["source_hash"], body["record"]["replica_hash"]) == ("a", "b")
    assert (await api.get("/api/drift/influxdb/category/helpers/c1"))["record"]["kind"] == "missing"
    await api.get("/api/drift/influxdb/device/d1", 404)


async def test_a_record_is_not_called_equal_before_a_comparison(api: Api, report: Report) -> None:
    never = (ReplicaStatus("sqlite", SyncStatus.UNKNOWN),)
    for status, detail in (
        (status_of(report), "The last pass found no difference"),
        (status_of(None, replicas=never), "Nothing was compared yet"),
        (status_of(report, replicas=never), "Nothing was compared yet"),  # the pass could not read it
    ):
        api.status = status
        assert (await api.get("/api/drift/sqlite/device/nope", 404))["detail"].startswith(detail)


async def test_no_secret_leaves(api: Api, report: Report) -> None:
    api.status = status_of(report)
    assert "default_code" not in str(await api.get("/api/drift"))
    assert "default_code" not in str(await api.get("/api/drift/sqlite/entity/e0"))


async def test_an_old_comparison_is_no_knowledge(api: Api) -> None:
    assert (await api.get("/api/drift"))["status"] == "in_sync"
    api.now += 1200
    assert (await api.get("/api/drift"))["status"] == "unknown"


async def test_a_home_assistant_that_is_out_of_reach_is_in_no_known_state(api: Api, report: Report) -> None:
    running = msgspec.structs.replace(report.source, state="RUNNING")
    report = msgspec.structs.replace(report, source=running)
    for is_connected, state in ((True, "RUNNING"), (False, None)):
        api.status = status_of(report, source=SourceStatus("ws://home", is_connected, state="RUNNING"))
        source = (await api.get("/api/drift"))["source"]
        assert (source["connected"], source["state"]) == (is_connected, state)


async def test_a_report_with_errors_is_never_in_sync(api: Api, report: Report) -> None:
    errors = (ErrorReport("influxdb", "away", "", True),)
    api.status = status_of(msgspec.structs.replace(report, errors=errors))
    body = await api.get("/api/drift")
    assert (body["status"], len(body["errors"])) == ("unknown", 1)


async def test_before_the_first_pass_it_is_unknown(api: Api) -> None:
    api.status = status_of(None, source=SourceStatus("ws://home", False))
    body = await api.get("/api/drift")
    assert (body["status"], body["run_id"], body["compared_at"], body["records"]) == (
        "unknown",
        None,
        None,
        [],
    )
    await api.get("/api/drift/sqlite/device/d1", 404)
