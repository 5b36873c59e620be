"""The connection against a fake that speaks the real protocol over a real socket, and against peers that do not."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from engine.errors import (
    SourceError,
    SourceInvalid,
    SourceUnavailable,
)
from engine.sources.answers.commands import CommandFailed
from engine.sources.live.connection import Connection, open_connection
from tests.fakes.home_assistant import TOKEN, FakeHomeAssistant, Misbehaviour, Refusal, fake_home_assistant

AREAS = [{"area_id": "kuche", "name": "Küche"}]
SHORT_SECONDS = 0.05  # For what must never be answered; nothing else waits for it.
LIST_AREAS = "config/area_registry/list"


pytestmark = pytest.mark.anyio


def decoded(raw: msgspec.Raw) -> Any:
    return msgspec.json.decode(raw)


@asynccontextmanager
async def connected(
    answers: dict[str, Any], **options: Any
) -> AsyncIterator[tuple[FakeHomeAssistant, Connection]]:
    async with (
        fake_home_assistant(answers) as fake,
        open_connection(fake.uri, TOKEN, **options) as connection,
    ):
        yield fake, connection


async def failure_of_listing(connection: Connection) -> SourceError:
    with pytest.raises(SourceError) as refused:
        await connection.command(LIST_AREAS)
    return refused.value


# ------------------------------------------------------------------------------------------------- what works


async def test_a_command_returns_its_result_undecoded() -> None:
    async with connected({LIST_AREAS: AREAS}) as (_, connection):
        assert decoded(await connection.command(LIST_AREAS)) == AREAS
        assert connection.ha_version == "2026.11.0"
        assert decoded(await connection.command("ping")) is None


async def test_parameters_reach_home_assistant() -> None:
    async with connected({"config/category_registry/list": lambda params: [params]}) as (_, connection):
        answer = await connection.command("config/category_registry/list", scope="scene")
        assert decoded(answer) == [{"scope": "scene"}]


async def test_an_unknown_command_is_distinguished_from_a_failure_and_harms_nothing() -> None:
    async with connected({LIST_AREAS: AREAS, "config/update": Refusal("unauthorized")}) as (_, connection):
        with pytest.raises(CommandFailed) as unknown:
            await connection.command("config/floor_registry/list")
        assert unknown.value.code == "unknown_command"
        with pytest.raises(CommandFailed, match=r"source\.token_file") as forbidden:
            await connection.command("config/update")
        assert forbidden.value.code == "unauthorized"
        assert decoded(await connection.command(LIST_AREAS)) == AREAS


async def test_a_core_that_cannot_coalesce_is_used_without_it() -> None:
    answers = {"supported_features": Refusal("unknown_command", "Unknown command."), LIST_AREAS: AREAS}
    async with connected(answers) as (_, connection):
        assert decoded(await connection.command(LIST_AREAS)) == AREAS


async def test_a_slow_command_is_overtaken_and_both_get_their_own_answer() -> None:
    async with connected({LIST_AREAS: AREAS, "config_entries/get": ["entry"]}) as (fake, connection):
        fake.hold["config_entries/get"] = anyio.Event()
        answers: list[Any] = []

        async def ask_slowly() -> None:
            answers.append(decoded(await connection.command("config_entries/get")))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask_slowly)
            await fake.wait_until(lambda fake: fake.count("config_entries/get") == 1)
            answers.append(decoded(await connection.command(LIST_AREAS)))
            fake.hold["config_entries/get"].set()
        assert answers == [AREAS, ["entry"]]


async def test_two_hundred_commands_in_flight_keep_their_ids_in_order_and_their_answers_apart() -> None:
    async with connected({"echo": lambda params: params["n"]}) as (fake, connection):
        answers: dict[int, Any] = {}

        async def ask(n: int) -> None:
            answers[n] = decoded(await connection.command("echo", n=n, padding="x" * 10_000))

        async with anyio.create_task_group() as tasks:
            for n in range(200):
                tasks.start_soon(ask, n)
        assert answers == {n: n for n in range(200)}
        ids = [command["id"] for command in fake.received]
        assert ids == sorted(set(ids))


@pytest.mark.slow
async def test_a_40_mb_answer_arrives_whole_within_the_default_bound() -> None:
    size = 40 * 2**20
    async with connected({"config/entity_registry/list": "x" * size}) as (_, connection):
        assert len(bytes(await connection.command("config/entity_registry/list"))) == size + 2


async def test_events_arrive_in_order_alone_and_coalesced_with_the_answer() -> None:
    async with connected({"config_entries/get": [{"entry_id": "e1"}]}) as (fake, connection):
        entries = await connection.subscribe("config_entries/subscribe")
        devices = await connection.subscribe("subscribe_events", event_type="device_registry_updated")
        await fake.push("device_registry_updated", *({"n": n} for n in range(3)))
        assert decoded(await anext(entries)) == [{"type": None, "entry": {"entry_id": "e1"}}]
        assert [decoded(await anext(devices))["data"]["n"] for _ in range(3)] == [0, 1, 2]


async def test_a_reader_that_is_too_slow_loses_counted_events_and_holds_up_no_command() -> None:
    async with connected({LIST_AREAS: AREAS}, events_max=2) as (fake, connection):
        areas = await connection.subscribe("subscribe_events", event_type="area_registry_updated")
        await fake.push("area_registry_updated", *({"n": n} for n in range(5)))
        assert decoded(await connection.command(LIST_AREAS)) == AREAS
        assert areas.events_lost == 3
        assert [decoded(await anext(areas))["data"]["n"] for _ in range(2)] == [0, 1]


async def test_a_refused_subscription_leaves_none_behind() -> None:
    async with connected({"subscribe_events": Refusal("unauthorized")}) as (_, connection):
        with pytest.raises(CommandFailed, match="unauthorized"):
            await connection.subscribe("subscribe_events", event_type="*")
        assert connection._subscriptions == {}


async def test_an_unanswered_command_fails_alone() -> None:
    async with connected({LIST_AREAS: AREAS}, timeout_seconds=SHORT_SECONDS) as (fake, connection):
        fake.misbehave["config_entries/get"] = Misbehaviour.SILENCE
        with pytest.raises(SourceUnavailable, match=r"did not answer config_entries/get within 0\.05 s"):
            await connection.command("config_entries/get")
        assert connection._waiters == {}


async def test_a_late_answer_is_not_taken_for_another() -> None:
    async with connected({LIST_AREAS: AREAS, "echo": "late"}) as (fake, connection):
        fake.hold["echo"] = anyio.Event()
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(connection.command, "echo")
                await fake.wait_until(lambda fake: fake.count("echo") == 1)
                scope.cancel()
        fake.hold["echo"].set()
        assert decoded(await connection.command(LIST_AREAS)) == AREAS


async def test_a_proxy_in_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "ws_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with connected({LIST_AREAS: AREAS}) as (_, connection):
        assert json.loads(bytes(await connection.command(LIST_AREAS))) == AREAS


# -------------------------------------------------------------------------------------- what the caller raises


async def fail_while_handling(uri: str, cause: Exception) -> None:
    async with open_connection(uri, TOKEN):
        try:
            raise cause
        except KeyError:
            raise LookupError("context kept")  # noqa: B904 - the context is what is tested


async def test_an_error_of_the_caller_is_raised_unchanged() -> None:
    cause = KeyError("cause")
    async with fake_home_assistant() as fake:
        with pytest.raises(LookupError, match="mine") as raised:
            async with open_connection(fake.uri, TOKEN):
                raise LookupError("mine") from cause
        assert raised.value.__cause__ is cause
        with pytest.raises(LookupError, match="context kept") as raised:
            await fail_while_handling(fake.uri, cause)
        assert raised.value.__context__ is cause
        assert not raised.value.__suppress_context__
        with pytest.raises(CommandFailed, match="unknown_command"):
            async with open_connection(fake.uri, TOKEN) as connection:
                await connection.command("nonsense")


async def test_a_cancelled_caller_is_only_cancelled_and_the_connection_is_closed() -> None:
    async with fake_home_assistant() as fake:
        fake.hold["ping"] = anyio.Event()
        with anyio.CancelScope() as scope:
            async with open_connection(fake.uri, TOKEN) as connection, anyio.create_task_group() as tasks:
                tasks.start_soon(connection.command, "ping")
                await fake.wait_until(lambda fake: fake.count("ping") == 1)
                scope.cancel()
        assert scope.cancelled_caught
        await fake.wait_until(lambda fake: fake._clients == [])


async def test_a_caller_that_outlives_the_connection_learns_that_it_is_closed() -> None:
    async with fake_home_assistant() as fake, anyio.create_task_group() as tasks:
        async with open_connection(fake.uri, TOKEN) as connection:
            areas = await connection.subscribe("subscribe_events", event_type="area_registry_updated")

            async def read_on() -> None:
                with pytest.raises(SourceUnavailable, match="closed by us"):
                    await anext(areas)

            tasks.start_soon(read_on)
        assert "closed by us" in str(await failure_of_listing(connection))


# ------------------------------------------------------------------------------------ connections that break off


@pytest.mark.parametrize(
    ("how", "kind", "says"),
    [
        (Misbehaviour.CLOSE, SourceUnavailable, r"waited for config/area_registry/list \(close code 1000\)"),
        (Misbehaviour.ABORT, SourceUnavailable, "broke while we waited for config/area_registry/list"),
        (Misbehaviour.TRUNCATE, SourceInvalid, "not JSON"),
        (Misbehaviour.NOT_UTF8, SourceInvalid, "not UTF-8"),
    ],
)
async def test_everything_in_flight_fails_with_the_reason_the_connection_broke(
    how: Misbehaviour, kind: type[SourceError], says: str
) -> None:
    failures: list[SourceError] = []
    async with connected({LIST_AREAS: AREAS}) as (fake, connection):
        fake.hold["echo"] = anyio.Event()
        fake.misbehave[LIST_AREAS] = how
        areas = await connection.subscribe("subscribe_events", event_type="area_registry_updated")

        async def wait_for_an_event() -> None:
            with pytest.raises(SourceError) as failed:
                await anext(areas)
            failures.append(failed.value)

        async def ask() -> None:
            with pytest.raises(SourceError) as failed:
                await connection.command("echo")
            failures.append(failed.value)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait_for_an_event)
            tasks.start_soon(ask)
            await fake.wait_until(lambda fake: fake.count("echo") == 1)
            failures.append(await failure_of_listing(connection))
        failures.append(await failure_of_listing(connection))
    assert len(failures) == 4
    assert {(type(failure), failure.message) for failure in failures} == {(kind, failures[0].message)}
    assert len({id(failure) for failure in failures}) == 4
    with pytest.raises(kind, match=says if how is not Misbehaviour.CLOSE else "close code 1000"):
        raise failures[0]


async def test_a_message_that_is_too_large_names_the_setting_and_its_value() -> None:
    async with connected({LIST_AREAS: "x" * 100_000}, message_bytes_max=65_536) as (_, connection):
        failure = await failure_of_listing(connection)
    assert isinstance(failure, SourceInvalid)
    assert failure.hint == "To allow this, raise source.message_bytes_max (now 65536)."


async def test_a_command_that_is_too_large_for_home_assistant_is_not_blamed_on_our_bound() -> None:
    async with connected({}) as (_, connection):
        with pytest.raises(SourceUnavailable, match="close code 1009"):
            await connection.command("echo", padding="x" * 5 * 2**20)


async def test_events_read_before_the_end_are_not_lost() -> None:
    async with connected({}) as (fake, connection):
        areas = await connection.subscribe("subscribe_events", event_type="area_registry_updated")
        await fake.push("area_registry_updated", {"n": 1})
        await fake.disconnect(Misbehaviour.CLOSE)
        assert decoded(await anext(areas))["data"] == {"n": 1}
        with pytest.raises(SourceUnavailable, match="close code 1000"):
            await anext(areas)
