"""Status, liveness and readiness, from memory."""

import msgspec
import pytest

from engine.core.records.set_aside import SetAside
from engine.core.state.report import PlanCounts, RefusalReport, unknown_replica
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.words import GuardName, SyncStatus
from tests.api.serving import Api
from tests.homes import NOON


def with_(api: Api, **changes: object) -> Status:
    return msgspec.structs.replace(api.status, **changes)


async def test_status_shows_lag_and_age(api: Api) -> None:
    body = await api.get("/api/status")
    assert (body["status"], body["version"], body["run_id"]) == ("in_sync", "1.2.3", "r1")
    (replica,) = body["replicas"]
    assert (replica["replica"], replica["lag_seconds"]) == ("sqlite", 12.5)
    assert replica["synced_at"] == "2026-11-23T12:00:00.000Z"
    assert body["source"]["connected"] is True


async def test_status_shows_since_when_and_how_many_records_differ(api: Api) -> None:
    report = api.status.report
    assert report is not None
    applied, other = report.records[:2]
    held = msgspec.structs.replace(other, outcome="held")
    replica = ReplicaStatus("sqlite", SyncStatus.BLOCKED, status_since=NOON - 7, compared_at=NOON)
    api.status = with_(
        api, replicas=(replica,), report=msgspec.structs.replace(report, records=(applied, held))
    )
    (said,) = (await api.get("/api/status"))["replicas"]
    assert (said["status"], said["since"], said["differing"]) == ("blocked", "2026-11-23T11:59:53.000Z", 1)


async def test_a_record_on_which_two_replicas_differ_is_one_record(api: Api) -> None:
    report = api.status.report
    assert report is not None
    left = msgspec.structs.replace(report.records[0], outcome="observed")
    other = msgspec.structs.replace(report.replicas[0], replica="history")
    replicas = tuple(
        ReplicaStatus(name, SyncStatus.OUT_OF_SYNC, compared_at=NOON) for name in ("sqlite", "history")
    )
    api.status = with_(
        api,
        replicas=replicas,
        report=msgspec.structs.replace(
            report,
            replicas=(*report.replicas, other),
            records=(left, msgspec.structs.replace(left, replica="history")),
        ),
    )
    body = await api.get("/api/status")
    assert (body["differing"], [r["differing"] for r in body["replicas"]]) == (1, [1, 1])
    lost = msgspec.structs.replace(replicas[1], unproven_since=NOON)
    api.status = with_(api, replicas=(replicas[0], lost))
    assert (await api.get("/api/status"))["differing"] is None


async def test_an_unreadable_replica_is_not_reported_as_equal(api: Api) -> None:
    assert api.status.report is not None
    unread = (unknown_replica("sqlite", "away"),)
    report = msgspec.structs.replace(api.status.report, replicas=unread, records=())
    replica = ReplicaStatus("sqlite", SyncStatus.UNKNOWN, compared_at=NOON, error="away")
    api.status = with_(api, replicas=(replica,), report=report)
    (said,) = (await api.get("/api/status"))["replicas"]
    assert (said["status"], said["differing"]) == ("unknown", None)


@pytest.mark.parametrize("guard", [GuardName.WRONG_INSTANCE, GuardName.RECOVERY_MODE])
async def test_what_was_compared_with_another_home_is_no_number_of_differences(
    api: Api, guard: GuardName
) -> None:
    report = api.status.report
    assert report is not None
    refused = msgspec.structs.replace(report.replicas[0], refusals=(RefusalReport(guard, "no", "later", 9),))
    held = tuple(msgspec.structs.replace(record, outcome="held") for record in report.records)
    replica = ReplicaStatus("sqlite", SyncStatus.BLOCKED, compared_at=NOON)
    api.status = with_(
        api,
        replicas=(replica,),
        report=msgspec.structs.replace(report, replicas=(refused,), records=held),
    )
    body = await api.get("/api/status")
    assert (body["status"], body["differing"]) == ("blocked", None)
    assert [r["differing"] for r in body["replicas"]] == [None]


async def test_status_shows_guards(api: Api) -> None:
    assert api.status.report is not None
    replica = msgspec.structs.replace(
        api.status.report.replicas[0],
        planned=PlanCounts(delete=9),
        refusals=(RefusalReport(GuardName.DELETE_RATIO, "too many", "raise it", 9),),
    )
    api.status = with_(api, report=msgspec.structs.replace(api.status.report, replicas=(replica,)))
    (guard,) = (await api.get("/api/status"))["guards"]
    assert (guard["replica"], guard["guard"], guard["held"]) == ("sqlite", "delete_ratio", 9)


async def test_what_never_was_is_null(api: Api) -> None:
    api.status = with_(api, replicas=(ReplicaStatus("sqlite", SyncStatus.IN_SYNC),), report=None)
    (replica,) = (await api.get("/api/status"))["replicas"]
    assert (replica["status"], replica["lag_seconds"], replica["compared_at"]) == ("unknown", None, None)


async def test_liveness_reads_no_rows(api: Api) -> None:
    jobs = api.rows_reader.jobs
    assert await api.get("/healthz") == {"status": "ok"}
    assert api.rows_reader.jobs == jobs


async def test_readiness_names_the_missing_parts(api: Api) -> None:
    assert (await api.get("/readyz"))["status"] == "ready"
    api.status = with_(api, source=SourceStatus("ws://home", False))
    response = await api.client.get("/readyz")
    assert response.status_code == 503
    assert response.json() == {
        "status": "not_ready",
        "checks": {"source": False, "sqlite": True, "store": True, "service": True},
        "reasons": {"source": "Home Assistant was not reached yet"},
    }
    assert (await api.client.get("/health")).json() == response.json()
    assert (await api.client.get("/health")).status_code == 200


async def test_from_the_loss_of_home_assistant_on_nothing_is_known(api: Api) -> None:
    lost = tuple(msgspec.structs.replace(r, unproven_since=NOON + 9) for r in api.status.replicas)
    api.status = with_(api, replicas=lost, source=SourceStatus("ws://home", False))
    assert (await api.get("/api/drift"))["source"]["connected"] is False
    body = await api.get("/api/status")
    (replica,) = body["replicas"]
    assert (body["status"], replica["status"], replica["since"], replica["differing"]) == (
        "unknown",
        "unknown",
        "2026-11-23T12:00:09.000Z",
        None,
    )
    drift = await api.get("/api/drift")
    assert (drift["status"], [r["status"] for r in drift["replicas"]]) == ("unknown", ["unknown"])
    response = await api.client.get("/readyz")
    assert response.status_code == 503
    assert "was lost" in response.json()["reasons"]["sqlite"]


async def test_a_service_with_differences_or_held_deletes_is_not_ready(api: Api) -> None:
    report = api.status.report
    assert report is not None
    for outcome, word, status, why in (
        ("waiting", "out_of_sync", 200, ""),
        ("reported", "out_of_sync", 503, "differ in 1 record (1 reported)"),
        ("failed", "out_of_sync", 503, "differ in 1 record (1 failed)"),
        ("held", "blocked", 503, "a guard holds changes back"),
    ):
        left = msgspec.structs.replace(report.records[0], outcome=outcome)
        replica = ReplicaStatus("sqlite", SyncStatus(word), synced_at=NOON, compared_at=NOON)
        api.status = with_(api, replicas=(replica,), report=msgspec.structs.replace(report, records=(left,)))
        response = await api.client.get("/readyz")
        assert response.status_code == status
        assert why in response.json()["reasons"].get("sqlite", "")


async def test_a_stale_replica_is_not_ready(api: Api) -> None:
    api.now = NOON + 3600
    assert (await api.client.get("/readyz")).json()["checks"]["sqlite"] is False


async def test_a_service_that_ends_is_not_ready(api: Api) -> None:
    api.feed.close()
    assert (await api.client.get("/readyz")).json()["checks"]["service"] is False


async def test_rows_set_aside_stand_in_status_drift_and_page(api: Api) -> None:
    assert api.status.report is not None
    rows = (SetAside("device", "id", "null", "its id is null", name="<b>Lamp</b>", position=3),)
    api.status = with_(api, report=msgspec.structs.replace(api.status.report, set_aside=rows))
    assert (await api.get("/api/status"))["set_aside"] == 1
    (row,) = (await api.get("/api/drift"))["set_aside"]
    assert (row["registry"], row["position"], row["field"], row["found"]) == ("device", 3, "id", "null")
    page = (await api.client.get("/")).text
    assert "1 row of Home Assistant cannot be used" in page
    assert "device, row 3, &lt;b&gt;Lamp&lt;/b&gt;, without an id" in page
