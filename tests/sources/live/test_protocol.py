"""The sans-I/O protocol: recorded conversations, every order of messages, and anything at all as input."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import EngineError, SettingsError, SourceInvalid, SourceRefused
from engine.sources.live.protocol import (
    AuthOk,
    AuthRequired,
    CommandError,
    CommandResult,
    HomeAssistantProtocol,
    Message,
    Phase,
    SubscriptionEvent,
)

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJmYWtlIn0.c2lnbmF0dXJl"
# Conversations with real cores on 2026-11-23, frame by frame; "closed" notes how each ended.
RECORDED = Path(__file__).parents[2] / "data" / "home_assistant"
VERSIONS = ("2024.3.3", "2026.11.0")


def logged_in(commands: int = 0) -> HomeAssistantProtocol:
    protocol = HomeAssistantProtocol(TOKEN)
    protocol.receive('{"type":"auth_required","ha_version":"2026.11.0"}')
    protocol.send_auth()
    protocol.receive('{"type":"auth_ok","ha_version":"2026.11.0"}')
    for _ in range(commands):
        protocol.send_command("ping")
    return protocol


def recorded(version: str, conversation: str) -> list[str]:
    """The frames of one recorded conversation, without the note of how it ended."""
    conversations = json.loads((RECORDED / version / "protocol.json").read_text())
    return [json.dumps(frame) for frame in conversations[conversation] if "closed" not in frame]


def replay(version: str, conversation: str, commands: int) -> list[Message]:
    """What the machine makes of a recorded conversation, after the login, in which `commands` were sent."""
    protocol = HomeAssistantProtocol(TOKEN)
    required, accepted, *frames = recorded(version, conversation)
    assert protocol.receive(required) == [AuthRequired()]
    protocol.send_auth()
    assert protocol.receive(accepted) == [AuthOk(version)]
    for _ in range(commands):
        protocol.send_command("ping")
    return [message for frame in frames for message in protocol.receive(frame)]


def test_the_token_leaves_once_and_only_as_the_answer_to_auth_required() -> None:
    protocol = HomeAssistantProtocol(TOKEN)
    with pytest.raises(AssertionError):
        protocol.send_auth()
    assert protocol.receive('{"type":"auth_required","ha_version":"2026.11.0"}') == [AuthRequired()]
    assert json.loads(protocol.send_auth()) == {"type": "auth", "access_token": TOKEN}
    with pytest.raises(SourceInvalid):
        protocol.receive('{"type":"auth_required","ha_version":"2026.11.0"}')


def test_login_ends_ready_and_knows_the_version() -> None:
    protocol = logged_in()
    assert (protocol.phase, protocol.ha_version) == (Phase.READY, "2026.11.0")


def test_a_supervisor_without_a_known_version_still_lets_us_in() -> None:
    protocol = HomeAssistantProtocol(TOKEN)
    protocol.receive('{"type":"auth_required","ha_version":null}')
    assert protocol.receive('{"type":"auth_ok","ha_version":null}') == [AuthOk("")]


def test_no_command_leaves_before_the_login_is_complete() -> None:
    with pytest.raises(AssertionError):
        HomeAssistantProtocol(TOKEN).send_command("get_config")


@pytest.mark.parametrize("version", VERSIONS)
def test_a_rejected_token_is_refused_with_the_setting_to_change(version: str) -> None:
    protocol = HomeAssistantProtocol(TOKEN, "ws://home.local/api/websocket")
    required, refused = recorded(version, "auth: invalid token")
    protocol.receive(required)
    protocol.send_auth()
    with pytest.raises(SourceRefused, match="Invalid access token or password") as failure:
        protocol.receive(refused)
    assert "ws://home.local/api/websocket" in failure.value.message
    assert "source.token_file" in failure.value.hint
    assert not failure.value.transient
    assert protocol.phase is Phase.REFUSED


@pytest.mark.parametrize(
    "token", ["", " ", "two words", "line\n", "\ufefftoken", "tökén", "\udcfftoken", 'quo"te']
)
def test_an_invalid_token_is_refused_before_anything_is_sent(token: str) -> None:
    with pytest.raises(SettingsError) as refused:
        HomeAssistantProtocol(token)
    assert "source.token_file" in str(refused.value)
    assert len(token.strip()) < 2 or token.strip() not in str(refused.value)


def test_ids_grow_and_carry_the_parameters() -> None:
    protocol = logged_in()
    first, text = protocol.send_command("config/category_registry/list", scope="automation")
    second, _ = protocol.send_command("ping")
    assert json.loads(text) == {"id": first, "type": "config/category_registry/list", "scope": "automation"}
    assert 1 <= first < second


def test_replies_are_matched_by_id_when_one_overtakes_another() -> None:
    protocol = logged_in(2)
    assert protocol.receive('{"id":2,"type":"result","success":true,"result":["fast"]}') == [
        CommandResult(2, msgspec.Raw(b'["fast"]'))
    ]
    assert protocol.receive('{"id":1,"type":"result","success":true,"result":["slow"]}') == [
        CommandResult(1, msgspec.Raw(b'["slow"]'))
    ]


@pytest.mark.parametrize("binary", [False, True])
def test_a_result_is_kept_byte_for_byte(binary: bool) -> None:
    result = (
        ' {"name": "Küche \\u00fc", "zero": 0.0, "big": 12345678901234567890123, "twice": 1, "twice": 2} '
    )
    frame = f'{{"result":{result},"id":1,"type":"result","success":true}}'
    (message,) = logged_in(1).receive(frame.encode() if binary else frame)
    assert isinstance(message, CommandResult)
    assert bytes(message.result) == result.strip().encode()


@pytest.mark.parametrize(
    "value", [r'"\ud800 lamp"', "NaN", "[" * 990 + "]" * 990, '{"a":' * 3000 + "1" + "}" * 3000]
)
def test_a_value_that_no_strict_decoder_takes_costs_only_that_value(value: str) -> None:
    frame = f'{{"id":1,"type":"result","success":true,"result":[{{"name":{value}}},{{"name":"next"}}]}}'
    (message,) = logged_in(1).receive(frame)
    assert isinstance(message, CommandResult)
    assert msgspec.json.decode(message.result)[1] == {"name": "next"}


def test_one_frame_may_hold_many_messages_in_their_order() -> None:
    messages = logged_in(3).receive(
        '[{"id":3,"type":"event","event":{"n":1}},{"id":1,"type":"result","success":true,"result":null},'
        '{"id":2,"type":"result","success":false,"error":{"code":"not_found","message":"No"}},'
        '{"id":3,"type":"pong"}]'
    )
    assert messages == [
        SubscriptionEvent(3, msgspec.Raw(b'{"n":1}')),
        CommandResult(1, msgspec.Raw(b"null")),
        CommandError(2, "not_found", "No"),
        CommandResult(3, msgspec.Raw(b"null")),
    ]
    assert logged_in().receive("[]") == []


def test_messages_added_by_newer_versions_are_ignored() -> None:
    protocol = logged_in(1)
    assert protocol.receive('{"type":"weather_report","id":1,"sky":"blue"}') == []
    assert protocol.receive('{"id":1,"type":"result","success":true,"result":1,"took_ms":3}') != []


def test_a_second_reply_to_one_command_is_passed_over() -> None:
    protocol = logged_in(1)
    assert len(protocol.receive('{"id":1,"type":"pong"}')) == 1
    assert protocol.receive('{"id":1,"type":"result","success":true,"result":["other"]}') == []


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "7",
        '"auth_ok"',
        "<html><title>Router</title></html>",
        '{"id":1,"type":"result","success":true,"result":[{"name":"half',
        '{"id":1,"type":"result","success":true,"result":nul}',
        b'{"id":1,"type":"result","success":true,"result":["K\xfcche"]}',
        b"\xff\xfe\x00",
        '{"id":1,"type":"result","success":true,"result":["\ud800"]}',
        '{"id":1,"type":"result","success":true,"result":' + "[" * 100_000,
        "[" * 100_000,
        "{}",
        '{"type":7}',
        '{"type":"result","success":true,"result":null}',
        '{"id":"1","type":"result","success":true,"result":null}',
        '{"id":1.5,"type":"result","success":true,"result":null}',
        '{"id":true,"type":"result","success":true,"result":null}',
        '{"id":2,"type":"result","success":true,"result":null}',
        '{"id":0,"type":"event","event":{}}',
        '{"id":99999999999999999999999,"type":"pong"}',
        '{"id":1,"type":"result","success":true}',
        '{"id":1,"type":"result","result":[]}',
        '{"id":1,"type":"result","success":"true","result":[]}',
        '{"id":1,"type":"result","success":false}',
        '{"id":1,"type":"result","success":false,"error":"no"}',
        '{"id":1,"type":"event"}',
        '[{"id":1,"type":"pong"},7]',
    ],
)
def test_a_malformed_frame_is_one_error_that_names_the_source(frame: str | bytes) -> None:
    with pytest.raises(SourceInvalid) as refused:
        logged_in(1).receive(frame)
    assert "source.uri" in refused.value.hint
    assert len(refused.value.message) < 400


def test_an_excerpt_shows_how_a_foreign_answer_begins_and_stays_short() -> None:
    with pytest.raises(SourceInvalid, match="<title>Router</title>") as refused:
        HomeAssistantProtocol(TOKEN).receive("<title>Router</title>" + "x" * 10_000)
    assert len(refused.value.message) < 250


@pytest.mark.parametrize("frame", ['{"type":"auth_ok"}', '{"type":"auth_invalid"}', '{"id":1,"type":"pong"}'])
def test_login_messages_out_of_turn_are_refused(frame: str) -> None:
    with pytest.raises(SourceInvalid):
        HomeAssistantProtocol(TOKEN).receive(frame)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("conversation", "code"),
    [
        ("extra key", "invalid_format"),
        ("unknown command", "unknown_command"),
        ("bad parameter", "invalid_format"),
        ("not found", "not_found"),
        ("unsubscribe unknown", "not_found"),
    ],
)
def test_recorded_errors_keep_home_assistants_code(version: str, conversation: str, code: str) -> None:
    first = replay(version, conversation, commands=2)[0]
    assert isinstance(first, CommandError)
    assert (first.id, first.code) == (1, code)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_recorded_coalesced_frame_is_taken_apart(version: str) -> None:
    messages = replay(version, "supported_features coalesce", commands=5)
    assert messages == [CommandResult(command_id, msgspec.Raw(b"null")) for command_id in range(1, 6)]


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_results_of_an_array_of_commands_are_taken(version: str) -> None:
    assert replay(version, "array of commands", commands=2) == [
        CommandResult(1, msgspec.Raw(b"null")),
        CommandResult(2, msgspec.Raw(b"[]")),
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_recorded_reports_of_a_malformed_id_are_refused(version: str) -> None:
    with pytest.raises(SourceInvalid, match="Message incorrectly formatted"):
        replay(version, "id missing / 0 / string / negative / float", commands=1)


# ------------------------------------------------------------------------------------------ what may never happen

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
types = st.sampled_from(["auth_required", "auth_ok", "auth_invalid", "result", "event", "pong", "new"])
almost_messages = st.fixed_dictionaries(
    {},
    optional={
        "type": types | json_values,
        "id": st.integers(-1, 4) | json_values,
        "success": st.booleans() | json_values,
        "result": json_values,
        "event": json_values,
        "error": st.fixed_dictionaries({"code": st.text(), "message": st.just(TOKEN) | st.text()})
        | json_values,
        "message": st.just(TOKEN * 2) | json_values,
        "ha_version": json_values,
    },
)
encoded_messages = (almost_messages | st.lists(almost_messages, max_size=3)).map(json.dumps)
frames = (
    encoded_messages
    | encoded_messages.map(lambda text: text[: len(text) // 2])
    | st.text()
    | st.binary()
    | st.text().map(lambda text: text + TOKEN)
    | st.binary().map(lambda content: content + TOKEN.encode())
)


def protocol_in(phase: Phase) -> HomeAssistantProtocol:
    if phase is Phase.READY:
        return logged_in(2)
    protocol = HomeAssistantProtocol(TOKEN)
    if phase is Phase.AUTHENTICATING:
        protocol.receive('{"type":"auth_required"}')
    return protocol


def everything_said(error: BaseException) -> str:
    """All that a log, a traceback or a debugger's summary would show of an error and what caused it."""
    reported = f"{error} {error!r} {error.args} {vars(error)}"
    chained = [cause for cause in (error.__cause__, error.__context__) if cause is not None]
    if error.__suppress_context__:
        chained = [cause for cause in chained if cause is error.__cause__]
    return " ".join([reported, *map(everything_said, chained)])


@given(st.sampled_from([Phase.WAITING, Phase.AUTHENTICATING, Phase.READY]), st.lists(frames, max_size=3))
def test_any_input_is_parsed_or_refused_without_showing_the_token(phase: Phase, arriving: list[Any]) -> None:
    protocol = protocol_in(phase)
    refusals: list[EngineError] = []
    for frame in arriving:
        try:
            protocol.receive(frame)
        except EngineError as error:
            refusals.append(error)
        assert TOKEN not in f"{protocol} {protocol!r}"
    for refusal in refusals:
        assert isinstance(refusal, SourceInvalid | SourceRefused)
        assert TOKEN not in everything_said(refusal)


@pytest.mark.parametrize("before", [0, 10, 60, 75, 79])
def test_a_token_that_is_echoed_is_masked_even_where_the_excerpt_ends(before: int) -> None:
    echo = "x" * before + TOKEN
    refusal = {"type": "auth_invalid", "message": echo}
    for frame in (echo, echo.encode(), json.dumps({"type": echo}), json.dumps(refusal)):
        with pytest.raises((SourceInvalid, SourceRefused)) as refused:
            protocol_in(Phase.AUTHENTICATING).receive(frame)
        assert TOKEN[:5] not in everything_said(refused.value)


def test_a_command_error_that_echoes_the_token_is_masked() -> None:
    error = {"code": "invalid_format", "message": f"Got '{TOKEN}'"}
    (message,) = logged_in(1).receive(
        json.dumps({"id": 1, "type": "result", "success": False, "error": error})
    )
    assert message == CommandError(1, "invalid_format", "Got '***'")
