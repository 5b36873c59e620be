"""The requests of homes to their partition."""

from engine.core.records.record import Key
from engine.replicas.kafka.events import Sent
from engine.replicas.kafka.log import TooLarge
from engine.replicas.kafka.messages import Message, TopicEntry, encode_key
from engine.replicas.kafka.partition.holding import HeldPartition
from engine.replicas.kafka.partition.requests import FetchRequest, ObserveRequest, WriteRequest
from engine.replicas.kafka.topics import TopicNames
from tests.homes import entity

NAMES = TopicNames("homes")
KEY = encode_key("a", entity(1).key)


def written() -> WriteRequest:
    in_topic, in_feed = (Message(topic, KEY, b"{}", ()) for topic in ("homes.entity", "homes.changes"))
    return WriteRequest("a", 0, [Sent(entity(1).key, "1:x", (in_topic,), in_feed)])


def test_events_go_into_the_records_topic_first_and_into_the_feed() -> None:
    assert [message.topic for message in written().messages] == ["homes.entity", "homes.changes"]


def test_a_refusal_that_names_no_message_is_about_all_of_them() -> None:
    write = written()
    assert not write.is_refused
    write.refuse(TooLarge("kafka", "too large"), 100)
    assert write.is_refused
    assert write.too_large == {KEY}


def test_a_confirmed_message_that_does_not_read_back_is_named() -> None:
    write = written()
    write.note_lost({Key("entity", "e1")})
    assert write.is_refused
    assert "1 event, but 1 of them" in str(write.error)


def test_a_request_fails_where_a_newer_program_wrote() -> None:
    held = HeldPartition(NAMES)
    held.fold(TopicEntry("homes.entity", 0, KEY, b"{}", {"schema": b"99"}))
    request = ObserveRequest("a", is_writer=True)
    request.check(held)
    request.answer(held, 3)
    assert "schema version 99" in str(request.error)
    other = FetchRequest("b", [], is_writer=True)
    other.check(held)
    assert other.error is None
