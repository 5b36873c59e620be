"""The contents of a partition: read in full, followed, and by whom it is written."""

import pytest

from engine.errors import ReplicaRejected
from engine.replicas.kafka.messages import encode_key
from tests.fakes.kafka import MemoryCluster
from tests.homes import entity
from tests.replicas.kafka.partition.shared import HOME, NAMES, Shared


def test_a_message_of_another_program_moves_the_data_version_of_its_home_alone() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    shared.cluster.put("homes.entity", encode_key("a", entity(1).key), b"rubbish")
    assert (a.data_version(), b.data_version()) == (1, 0)
    assert shared.reconcile(a, HOME, "a") == 1


def test_everything_is_read_once_an_hour_and_a_missed_message_moves_the_data_version() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    entries = shared.cluster.topics["homes.entity"]
    entries[:] = [e if e is None or b'"a"' not in (e.key or b"") else None for e in entries]
    shared.now = 3600.0
    shared.log.calls.clear()
    assert b.observe().versions == HOME.home.hashes
    assert shared.log.calls == ["describe", "ends", "follow", "read_to"]
    assert (a.data_version(), b.data_version()) == (1, 0)


def test_only_a_home_that_writes_makes_a_writer_and_makes_it_before_reading() -> None:
    Shared(cluster := MemoryCluster(NAMES, partitions=1)).filled("a", "b")
    shared = Shared(cluster)
    assert shared.home("a", read_only=True).observe().versions == HOME.home.hashes
    assert "take_over" not in shared.log.calls
    shared.log.calls.clear()
    assert shared.home("b").observe().versions == HOME.home.hashes
    assert shared.log.calls == ["describe", "take_over", "ends", "follow", "read_to"]


def test_messages_of_a_newer_program_block_only_their_own_home() -> None:
    shared = Shared()
    a, b = shared.filled("a", "b")
    shared.cluster.put("homes.entity", encode_key("a", entity(1).key), b"{}", {"schema": b"99"})
    assert b.observe().versions == HOME.home.hashes
    with pytest.raises(ReplicaRejected, match="schema version 99"):
        a.observe()
    shared.cluster.put("homes.entity", encode_key("a", entity(1).key), None)
    assert len(a.observe().versions) == 2


def test_a_forbidden_group_is_reported_before_a_writer_is_made_or_anything_is_read() -> None:
    shared = Shared()
    a, _ = shared.filled("a", "b")
    shared.log.group_failure = ReplicaRejected("kafka", "This user may not use the consumer group.")
    shared.now = 3600.0
    shared.log.calls.clear()
    with pytest.raises(ReplicaRejected, match="may not use the consumer group"):
        a.observe()
    assert "read_to" not in shared.log.calls
    shared.log.group_failure = None
    assert a.observe().versions == HOME.home.hashes


def test_homes_that_start_do_not_ask_again_how_far_the_topics_reach() -> None:
    Shared(cluster := MemoryCluster(NAMES, partitions=1)).filled("a", "b")
    shared = Shared(cluster)
    a, b, late = (shared.home(site) for site in "abb")
    assert a.observe().versions == HOME.home.hashes
    shared.log.calls.clear()
    assert b.observe().versions == HOME.home.hashes
    assert shared.log.calls == []
    # A home that was looked at looks again, and after a while so does one that starts.
    shared.cluster.put("homes.entity", encode_key("b", entity(1).key), None)
    assert len(b.observe().versions) == 2
    shared.cluster.put("homes.entity", encode_key("b", entity(1).key), b"rubbish")
    shared.now += 60
    assert len(late.observe().versions) == 3
    assert late.data_version() == 2
