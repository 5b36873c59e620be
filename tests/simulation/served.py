"""What HTTP and the metrics report, compared with what was true at that moment."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import trio
from prometheus_client.parser import text_string_to_metric_families

from api.activity import Activity
from api.http.queries import NoQuery
from api.page.views.status import status_view
from api.state.health import get_health, get_status
from engine.core.state.report import Report
from engine.core.state.status import Status
from engine.core.words import GuardName
from engine.metrics.series import Metrics
from tests.simulation.engine_room import FRESHNESS
from tests.simulation.oracle import Oracle
from tests.simulation.world import World

_TOLERANCE = 1.0
_Samples = dict[tuple[str, tuple[str, ...]], float]


class Served:
    """The API's and the metrics' answers of one engine, which may be started again."""

    def __init__(self, world: World, oracle: Oracle, status: Callable[[], Status | None]) -> None:
        self._world = world
        self._oracle = oracle
        self._current = status
        self._activity = Activity()
        clock = world.moments.wall
        names = [store.name for store in oracle.stores]
        self._metrics = Metrics(self._status, clock, version="0", replicas=names, freshness=FRESHNESS)
        feed = SimpleNamespace(streams=0, is_readable=True, is_closed=False)
        self._given: Any = SimpleNamespace(status=self._status, clock=clock, freshness=FRESHNESS, feed=feed)

    def _status(self) -> Status:
        status = self._current()
        assert status is not None
        return status

    def on_report(self, report: Report) -> None:
        """A pass ended."""
        self._metrics.on_report(report)

    async def check(self) -> None:
        """Ask, and judge the answers."""
        if self._current() is None:
            return
        request: Any = None
        body = msgspec.json.decode((await get_status(self._given, request, NoQuery())).body)
        health = msgspec.json.decode((await get_health(self._given, request, NoQuery())).body)
        self._check_body(body)
        if health["status"] == "ready" and {r["status"] for r in body["replicas"]} & {"unknown", "blocked"}:
            self._oracle.violate("the API calls itself ready and a replica is unknown or blocked")
        samples = self._scrape()
        self._check_words(body, samples)
        self._check_metrics(samples, body)

    def _check_words(self, body: dict[str, Any], samples: _Samples) -> None:
        """Every place has the same word, and none is better than what is known while Home Assistant is away."""
        words = {r["replica"]: r["status"] for r in body["replicas"]}
        scraped = {
            replica: next(
                word
                for word in ("in_sync", "out_of_sync", "blocked", "unknown")
                if samples["reconcile_replica_status", tuple(sorted((replica, word)))]
            )
            for replica in words
        }
        view = status_view(self._status(), self._world.moments.wall(), FRESHNESS, self._activity)
        shown = dict(zip(words, (replica.state for replica in view.replicas), strict=True))
        if not words == scraped == shown or view.state != body["status"]:
            self._oracle.violate(f"the API says {words}, the metrics {scraped}, the page {shown}")
        silent_for = trio.current_time() - self._world.server.last_open_at
        is_away = not self._world.server.sockets and silent_for > _TOLERANCE
        if is_away and set(words.values()) != {"unknown"}:
            self._oracle.violate(f"without Home Assistant for {silent_for:.0f} s the API says {words}")

    def _check_body(self, body: dict[str, Any]) -> None:
        for said, known in zip(body["replicas"], self._status().replicas, strict=True):
            if said["status"] != "in_sync":
                continue
            if known.compared_at is None or known.synced_at is None:
                self._oracle.violate(
                    f"the API says that {said['replica']} is in_sync and has compared nothing"
                )
                continue
            age = self._age(known.compared_at)
            if age > FRESHNESS.stale_seconds + _TOLERANCE:
                self._oracle.violate(
                    f"the API says that {said['replica']} is in_sync, by a look {age:.0f} s ago"
                )
            age = self._age(known.synced_at)
            if age > FRESHNESS.unknown_seconds + _TOLERANCE:
                self._oracle.violate(f"the API says that {said['replica']} is in_sync as of {age:.0f} s ago")
            if said["lag_seconds"] < self._age(known.synced_at) - _TOLERANCE:
                self._oracle.violate(f"the API says that {said['replica']} lags {said['lag_seconds']} s")
        blocked = {said["replica"] for said in body["replicas"] if said["status"] == "blocked"}
        if silent := blocked - {guard["replica"] for guard in body["guards"]}:
            self._oracle.violate(f"the API says that {sorted(silent)} is blocked, and names no guard of it")
        words = {replica["status"] for replica in body["replicas"]}
        if body["status"] == "in_sync" and words != {"in_sync"}:
            self._oracle.violate(f"the API calls the whole in_sync, but its parts are {sorted(words)}")

    def _age(self, at: float) -> float:
        """Real seconds since a stamp, even if the wall clock was changed meanwhile."""
        return trio.current_time() - self._world.moments.of(at).virtual

    def _scrape(self) -> _Samples:
        text = self._metrics.render("")[0].decode()
        return {
            (sample.name, tuple(sorted(sample.labels.values()))): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def _check_metrics(self, samples: _Samples, body: dict[str, Any]) -> None:
        if samples["reconcile_source_connected", ()] > body["source"]["connected"]:
            self._oracle.violate("the metrics say connected, the API does not")
        speaking = {guard["guard"] for guard in body["guards"]}
        if speaking != {g for g in GuardName if samples["reconcile_guard_blocking", (g,)]}:
            self._oracle.violate(f"the API names the guards {sorted(speaking)}, the metrics others")
        for store, known in zip(self._oracle.stores, self._status().replicas, strict=True):
            said = samples.get(("reconcile_synced_timestamp_seconds", (store.name,)))
            if said is not None and (known.synced_at is None or said > known.synced_at + _TOLERANCE):
                self._oracle.violate(f"the metrics say that {store.name} was synced at {said}")
            applied = sum(
                value
                for (name, labels), value in samples.items()
                if name == "reconcile_changes_applied_total" and store.name in labels
            )
            if applied > self._oracle.operations[store.name]:
                self._oracle.violate(f"the metrics count {applied} changes applied to {store.name}")
