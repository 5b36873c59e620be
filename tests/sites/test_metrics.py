"""The series of many homes: seven for each, and none that says more than is known."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Literal

import anyio
import anyio.lowlevel
from prometheus_client import CollectorRegistry, generate_latest

from api.sites.ports import SiteView, Stage
from engine.sites.metrics import LoopLag, SiteMetrics, render_site
from tests.homes import NOON
from tests.sites.homes import away, kept

Chosen = Literal["auto", "all", "unhealthy", "none"]


def scraped(*views: SiteView, chosen: Chosen = "auto") -> str:
    registry = CollectorRegistry()
    registry.register(SiteMetrics(lambda: views, lambda: NOON, chosen, LoopLag()))
    return generate_latest(registry).decode()


def test_each_home_has_a_few_series_and_the_whole_is_counted() -> None:
    text = scraped(kept("a"), kept("b", "blocked"), away("c", Stage.INVALID, "broken"))
    assert 'reconcile_sites{stage="kept"} 2.0' in text
    assert 'reconcile_sites{stage="invalid"} 1.0' in text
    assert 'reconcile_sites_status{status="unknown"} 1.0' in text
    assert 'reconcile_site_in_sync{site="a"} 1.0' in text
    assert 'reconcile_site_blocked{site="b"} 1.0' in text
    assert 'reconcile_site_connected{site="c"} 0.0' in text
    assert 'reconcile_site_records{site="c"}' not in text
    assert text.count('site="a"') <= 7


def test_a_paused_home_is_counted_and_has_no_series_that_could_raise_an_alert() -> None:
    text = scraped(kept("a"), away("b", Stage.PAUSED, "paused"))
    assert 'reconcile_sites{stage="paused"} 1.0' in text
    assert 'reconcile_sites_status{status="unknown"} 0.0' in text
    assert 'site="b"' not in text


def test_a_home_without_a_file_is_counted() -> None:
    text = scraped(kept("a"), away("b", Stage.UNCONFIGURED, "no file"))
    assert 'reconcile_sites{stage="unconfigured"} 1.0' in text
    assert 'reconcile_sites{stage="unconfigured"} 0.0' in scraped(kept("a"))


def test_of_very_many_homes_only_the_unhealthy_have_series() -> None:
    assert 'site="a"' in scraped(kept("a"), chosen="all")
    assert 'site="' not in scraped(kept("a"), chosen="unhealthy")
    assert 'site="b"' in scraped(kept("b", "blocked"), chosen="unhealthy")
    assert 'site="' not in scraped(kept("b", "blocked"), chosen="none")
    many = [kept(f"home{number}") for number in range(2001)]
    assert 'site="' not in scraped(*many)


def test_the_metrics_of_one_home_can_be_read_alone() -> None:
    body, content_type = render_site(kept("a"), NOON, "")
    assert 'reconcile_site_in_sync{site="a"} 1.0' in body.decode()
    assert content_type.startswith("text/plain")


def test_the_longest_lag_is_reported_once() -> None:
    lag = LoopLag()
    lag._longest = 0.5
    assert (lag.take(), lag.take()) == (0.5, 0.0)


async def test_other_tasks_continue_while_many_homes_are_counted() -> None:
    homes = [kept(f"home{number}") for number in range(500)]
    looked = 0
    turns: list[int] = []

    def views() -> Iterator[SiteView]:
        nonlocal looked
        for view in homes:
            looked += 1
            yield view

    async def others() -> None:
        while True:
            turns.append(looked)
            await anyio.lowlevel.checkpoint()

    metrics = SiteMetrics(views, lambda: NOON, "auto", LoopLag())
    registry = CollectorRegistry()
    registry.register(metrics)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(others)
        await metrics.look()
        tasks.cancel_scope.cancel()
    assert max(after - before for before, after in pairwise([*turns, looked])) <= 20, (
        "homes in one turn of the loop"
    )
    text = generate_latest(registry).decode()
    assert looked == 500, "what was looked at is what is written"
    assert text == scraped(*homes)
    assert generate_latest(registry).decode() == text
    assert looked == 1000, "and only once"
