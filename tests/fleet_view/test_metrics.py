"""The series of a view."""

from prometheus_client import CollectorRegistry, generate_latest

from api.fleet.ports import Standing
from engine.fleet_view.metrics import Totals, ViewMetrics


def exposed(standing: Standing, totals: Totals) -> str:
    registry = CollectorRegistry()
    registry.register(ViewMetrics(lambda: standing, lambda: totals))
    return generate_latest(registry).decode()


def test_a_time_that_never_was_has_no_series() -> None:
    text = exposed(Standing(), Totals({}, 0, {}))
    assert "\nreconcile_view_as_of_timestamp_seconds " not in text
    assert "\nreconcile_view_behind_messages " not in text
    assert "\nreconcile_view_replayed 0.0" in text


def test_all_that_is_known_is_exported() -> None:
    standing = Standing(as_of=5.0, replayed=True, behind=3)
    text = exposed(standing, Totals({"unknown": 2}, 9, {"foreign": 4}))
    for line in (
        "as_of_timestamp_seconds 5.0",
        "behind_messages 3.0",
        "replayed 1.0",
        "devices 9.0",
        'sites{status="unknown"} 2.0',
        'messages_left_out_total{reason="foreign"} 4.0',
    ):
        assert f"\nreconcile_view_{line}\n" in text
