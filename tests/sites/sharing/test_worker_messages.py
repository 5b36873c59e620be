"""A process reports itself after a change and once a minute; one that is gone for a day is forgotten."""

from msgspec.structs import replace

from engine.replicas.kafka.sites.site_status import WorkerStatus
from engine.sites.sharing.worker_messages import WorkerMessages, abandoned

WORKER = WorkerStatus(worker="a", state="active", ts_ms=1, settings={"s1": "x"})


def test_it_is_published_when_it_changes_and_once_a_minute() -> None:
    messages = WorkerMessages()
    assert [at for at in range(130) if messages.take(replace(WORKER, ts_ms=at), at)] == [0, 60, 120]
    assert messages.take(replace(WORKER, state="drained"), 130)
    assert messages.take(replace(WORKER, state="drained", settings={}), 130)
    assert not messages.take(replace(WORKER, state="drained", settings={}), 131)
    messages.doubt()
    assert messages.take(replace(WORKER, state="drained", settings={}), 131)


def test_a_process_that_was_silent_for_a_day_is_abandoned() -> None:
    day = 86_400_000
    workers = {"old": replace(WORKER, ts_ms=0), "new": replace(WORKER, ts_ms=2)}
    assert abandoned(workers, day + 1) == ["old"]
    assert abandoned(workers, day) == []
