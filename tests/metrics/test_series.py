"""Metrics: the series of a scrape, and those it omits because they are unknown."""

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from engine.core.compare.diff import Cause, Kind
from engine.core.compare.plan import Action
from engine.core.records.set_aside import SetAside
from engine.core.state.intervals import Freshness
from engine.core.state.report import (
    Counts,
    ErrorReport,
    PlanCounts,
    RecordReport,
    RefusalReport,
    ReplicaReport,
    Report,
    SourceReport,
    unknown_replica,
)
from engine.core.state.status import ReplicaStatus, SourceStatus, Status
from engine.core.times import Instant
from engine.core.words import GuardName, Mode, Outcome, SyncStatus
from engine.metrics.series import Metrics
from tests.homes import NOON

RECORD = RecordReport(
    replica="sqlite",
    registry="device",
    key="d",
    name="Lamp",
    kind=Kind.STALE,
    cause=Cause.PENDING,
    action=Action.UPSERT,
    outcome=Outcome.APPLIED,
    fields=(),
    source_hash="1:new",
    replica_hash="1:old",
    applied_hash="1:old",
    since=Instant(NOON - 0.3),
)


def report(*records: RecordReport, refusals: tuple[RefusalReport, ...] = (), error: bool = False) -> Report:
    replica = ReplicaReport(
        "sqlite",
        SyncStatus.IN_SYNC,
        Counts(in_sync=8, stale=1),
        PlanCounts(upsert=1),
        PlanCounts(upsert=1),
        refusals,
    )
    return Report(
        schema_version=1,
        status=SyncStatus.IN_SYNC,
        mode=Mode.APPLY,
        run_id="run",
        site="home",
        compared_at=Instant(NOON),
        duration_seconds=0.02,
        source=SourceReport("test", True),
        replicas=(replica,),
        records=records,
        errors=(ErrorReport("sqlite", "away", "", True),) if error else (),
        partial=False,
    )


class Engine:
    """An engine's status, and the metrics of it."""

    def __init__(self) -> None:
        source = SourceStatus("test", connected=False)
        self.status = Status("home", "0.1", NOON, source, (ReplicaStatus("sqlite", SyncStatus.UNKNOWN),))
        self.metrics = Metrics(
            lambda: self.status,
            lambda: NOON,
            version="0.1",
            replicas=["sqlite"],
            freshness=Freshness(1200.0, 60.0),
        )

    def scrape(self) -> dict[str, float]:
        text, content_type = self.metrics.render("text/plain")
        assert content_type.startswith("text/plain")
        return {
            f"{s.name}{dict(sorted(s.labels.items())) or ''}": s.value
            for family in text_string_to_metric_families(text.decode())
            for s in family.samples
        }


@pytest.fixture
def engine() -> Engine:
    return Engine()


def test_values_that_were_never_known_have_no_series(engine: Engine) -> None:
    names = {name.partition("{")[0] for name in engine.scrape()}
    assert not {n for n in names if n.endswith("_timestamp_seconds") and n.startswith("reconcile_")}
    counts = ("reconcile_drift_records", "reconcile_records", "reconcile_pending_changes")
    assert not {n for n in names if n in counts}


def test_known_series_start_at_zero(engine: Engine) -> None:
    scraped = engine.scrape()
    assert scraped["reconcile_guard_trips_total{'guard': 'recovery_mode'}"] == 0
    assert scraped["reconcile_runs_total{'replica': 'sqlite', 'result': 'error'}"] == 0
    assert scraped["reconcile_source_connected"] == 0


def test_the_watermark_is_a_timestamp(engine: Engine) -> None:
    replica = ReplicaStatus(
        "sqlite", SyncStatus.IN_SYNC, synced_at=NOON, compared_at=NOON - 1, succeeded_at=NOON + 1
    )
    engine.status = msgspec.structs.replace(
        engine.status,
        source=SourceStatus("test", connected=True, last_message_at=NOON),
        replicas=(replica,),
        report=report(),
    )
    scraped = engine.scrape()
    assert scraped["reconcile_synced_timestamp_seconds{'replica': 'sqlite'}"] == NOON
    assert scraped["reconcile_last_comparison_timestamp_seconds{'replica': 'sqlite'}"] == NOON - 1
    assert scraped["reconcile_last_success_timestamp_seconds{'replica': 'sqlite'}"] == NOON + 1
    assert scraped["reconcile_source_connected"] == 1
    assert scraped["reconcile_records{'replica': 'sqlite'}"] == 9
    assert scraped["reconcile_drift_records{'kind': 'foreign', 'replica': 'sqlite'}"] == 0


def test_a_replica_has_one_status_and_an_old_comparison_is_none(engine: Engine) -> None:
    def scrape(
        compared_at: float, synced_at: float, unproven: float | None = None
    ) -> tuple[list[str], float]:
        replica = ReplicaStatus(
            "sqlite", SyncStatus.IN_SYNC, NOON - 7, synced_at, compared_at, unproven_since=unproven
        )
        engine.status = msgspec.structs.replace(engine.status, replicas=(replica,))
        scraped = engine.scrape()
        words = {n: v for n, v in scraped.items() if n.startswith("reconcile_replica_status{")}
        assert len(words) == 4
        since = scraped["reconcile_replica_status_since_timestamp_seconds{'replica': 'sqlite'}"]
        return [n.split("'")[-2] for n, value in words.items() if value], since

    assert scrape(NOON - 1200, NOON - 60) == (["in_sync"], NOON - 7)
    assert scrape(NOON - 1201, NOON) == (["unknown"], NOON - 1)
    assert scrape(NOON, NOON - 61) == (["unknown"], NOON - 1)
    assert scrape(NOON, NOON, unproven=NOON - 3) == (["unknown"], NOON - 3)


def test_records_are_counted_as_they_are_after_the_pass_and_differences_once(engine: Engine) -> None:
    found = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=NOON, compared_at=NOON)
    made = report(RECORD)
    healed = msgspec.structs.replace(made.replicas[0], counts=Counts(in_sync=121, stale=1))
    other = msgspec.structs.replace(healed, replica="history", applied=PlanCounts())
    left = msgspec.structs.replace(RECORD, outcome="failed")
    engine.status = msgspec.structs.replace(
        engine.status,
        replicas=(found, msgspec.structs.replace(found, replica="history")),
        report=msgspec.structs.replace(
            made,
            replicas=(healed, other),
            records=(left, msgspec.structs.replace(left, replica="history")),
        ),
    )
    scraped = engine.scrape()
    assert scraped["reconcile_records{'replica': 'sqlite'}"] == 122
    assert scraped["reconcile_records{'replica': 'history'}"] == 121
    assert scraped["reconcile_differing_records"] == 1
    lost = msgspec.structs.replace(found, replica="history", unproven_since=NOON)
    engine.status = msgspec.structs.replace(engine.status, replicas=(found, lost))
    assert "reconcile_differing_records" not in engine.scrape()


def test_an_unknown_replica_has_no_counts(engine: Engine) -> None:
    replica = ReplicaStatus("sqlite", SyncStatus.IN_SYNC, synced_at=NOON, compared_at=NOON)
    engine.status = msgspec.structs.replace(engine.status, replicas=(replica,), report=report())
    assert "reconcile_records{'replica': 'sqlite'}" in engine.scrape()
    lost = msgspec.structs.replace(replica, unproven_since=NOON)
    engine.status = msgspec.structs.replace(engine.status, replicas=(lost,))
    counts = ("reconcile_records", "reconcile_drift_records", "reconcile_differing_records")
    assert not {n for n in engine.scrape() if n.startswith(counts)}
    refusal = RefusalReport(GuardName.WRONG_INSTANCE, "no", "later", 3)
    other = report()
    other = msgspec.structs.replace(
        other, replicas=(msgspec.structs.replace(other.replicas[0], refusals=(refusal,)),)
    )
    engine.status = msgspec.structs.replace(engine.status, replicas=(replica,), report=other)
    assert not {n for n in engine.scrape() if n.startswith(counts)}, "it was compared with another home"


def test_passes_changes_and_their_lag_are_counted(engine: Engine) -> None:
    engine.metrics.on_report(report(RECORD))
    scraped = engine.scrape()
    assert scraped["reconcile_runs_total{'replica': 'sqlite', 'result': 'success'}"] == 1
    applied = "reconcile_changes_applied_total{'action': 'upsert', 'registry': 'device', 'replica': 'sqlite'}"
    assert scraped[applied] == 1
    assert scraped["reconcile_lag_seconds_sum{'replica': 'sqlite'}"] == pytest.approx(0.3)
    assert scraped["reconcile_run_duration_seconds_count{'replica': 'sqlite'}"] == 1


def test_a_first_fill_is_no_lag(engine: Engine) -> None:
    engine.metrics.on_report(report(msgspec.structs.replace(RECORD, replica_hash=None)))
    assert engine.scrape()["reconcile_lag_seconds_count{'replica': 'sqlite'}"] == 0


def test_a_guard_blocks_until_a_pass_in_which_it_is_silent(engine: Engine) -> None:
    refusal = RefusalReport(GuardName.RECOVERY_MODE, "no", "later", 3)
    blocked = report(refusals=(refusal,))
    engine.status = msgspec.structs.replace(engine.status, report=blocked)
    assert engine.scrape()["reconcile_guard_blocking{'guard': 'recovery_mode'}"] == 1, "before the pass ends"
    engine.metrics.on_report(blocked)
    engine.status = msgspec.structs.replace(engine.status, report=report())
    engine.metrics.on_report(report())
    scraped = engine.scrape()
    assert scraped["reconcile_guard_blocking{'guard': 'recovery_mode'}"] == 0
    assert scraped["reconcile_guard_trips_total{'guard': 'recovery_mode'}"] == 1


def test_drift_that_was_not_healed_stays_visible(engine: Engine) -> None:
    drift = msgspec.structs.replace(RECORD, cause=Cause.DRIFT, outcome="observed")
    engine.status = msgspec.structs.replace(
        engine.status,
        replicas=(ReplicaStatus("sqlite", SyncStatus.OUT_OF_SYNC, compared_at=NOON),),
        report=report(drift),
    )
    engine.metrics.on_report(report(drift))
    scraped = engine.scrape()
    assert scraped["reconcile_drift_records{'kind': 'stale', 'replica': 'sqlite'}"] == 1
    assert scraped["reconcile_drift_found_total{'registry': 'device', 'replica': 'sqlite'}"] == 1


def test_reads_losses_sizes_and_streams(engine: Engine) -> None:
    engine.metrics.on_source("read")
    engine.metrics.on_source("SourceRefused")
    engine.metrics.on_store_sizes({"db": 4096})
    engine.metrics.watch_streams(lambda: 3)
    scraped = engine.scrape()
    assert scraped["reconcile_source_reads_total"] == 1
    assert scraped["reconcile_source_losses_total{'reason': 'refused'}"] == 1
    assert scraped["reconcile_store_size_bytes{'file': 'db'}"] == 4096
    assert scraped["reconcile_http_stream_clients"] == 3


def test_phases_are_timed_and_failures_distinguished(engine: Engine) -> None:
    engine.metrics.on_report(msgspec.structs.replace(report(error=True), phase_seconds={"compare": 0.25}))
    scraped = engine.scrape()
    name = "reconcile_phase_duration_seconds_sum{'phase': 'compare', 'replica': 'sqlite'}"
    assert scraped[name] == 0.25
    assert scraped["reconcile_replica_errors_total{'reason': 'transient', 'replica': 'sqlite'}"] == 1


def test_errors_count_and_the_replica_is_down(engine: Engine) -> None:
    engine.metrics.on_report(report(error=True))
    engine.status = msgspec.structs.replace(
        engine.status,
        replicas=(ReplicaStatus("sqlite", SyncStatus.UNKNOWN, succeeded_at=NOON, error="away"),),
    )
    scraped = engine.scrape()
    assert scraped["reconcile_runs_total{'replica': 'sqlite', 'result': 'error'}"] == 1
    assert scraped["reconcile_replica_up{'replica': 'sqlite'}"] == 0


def test_a_replica_that_a_pass_could_not_compare_has_no_counts(engine: Engine) -> None:
    replica = ReplicaStatus("sqlite", SyncStatus.UNKNOWN, compared_at=NOON, succeeded_at=NOON, error="away")
    failed = msgspec.structs.replace(report(error=True), replicas=(unknown_replica("sqlite", "away"),))
    engine.status = msgspec.structs.replace(engine.status, replicas=(replica,), report=failed)
    names = {name.partition("{")[0] for name in engine.scrape()}
    assert not names & {"reconcile_drift_records", "reconcile_records"}


def test_requests_are_counted_by_their_template(engine: Engine) -> None:
    engine.metrics.on_request("/api/devices/{device_id}", "GET", 200, 0.001)
    name = (
        "reconcile_http_requests_total{'code': '200', 'method': 'GET', 'route': '/api/devices/{device_id}'}"
    )
    assert engine.scrape()[name] == 1


def test_two_engines_in_one_process_do_not_collide() -> None:
    one, two = Engine(), Engine()
    one.metrics.on_report(report(RECORD))
    assert two.scrape()["reconcile_runs_total{'replica': 'sqlite', 'result': 'success'}"] == 0


async def test_openmetrics_is_served_on_request(engine: Engine) -> None:
    text, content_type = await engine.metrics.answer("application/openmetrics-text; version=1.0.0")
    assert "openmetrics" in content_type
    assert text.endswith(b"# EOF\n")


def test_rows_set_aside_are_counted_by_registry(engine: Engine) -> None:
    rows = tuple(SetAside("device", "id", "null", "its id is null", position=n) for n in (1, 2))
    engine.status = msgspec.structs.replace(
        engine.status, report=msgspec.structs.replace(report(), set_aside=rows)
    )
    scraped = engine.scrape()
    assert scraped["reconcile_set_aside_rows{'registry': 'device'}"] == 2
    assert scraped["reconcile_set_aside_rows{'registry': 'entity'}"] == 0
