"""What the server's retention and clock allow to be written."""

import pytest

from engine.errors import ReplicaRejected
from tests.fakes.influx_stand import DAY, HOME, Stand
from tests.fakes.influxdb import parse_line
from tests.homes import NOON, entity, snapshot
from tests.replicas.passes import one_pass


def test_a_short_retention_is_refused_but_read(stand: Stand) -> None:
    stand.wire.retention = 3600
    with pytest.raises(ReplicaRejected, match="at least 24 hours"):
        one_pass(stand.replica, stand.rows, snapshot(*HOME))
    assert stand.wire.bodies == []
    assert stand.replica.observe().versions == {}


@pytest.mark.parametrize("skew", [-61.0, 61.0])
def test_a_wrong_clock_writes_nothing(stand: Stand, skew: float) -> None:
    stand.wire.clock = lambda: stand.now + skew
    with pytest.raises(ReplicaRejected, match=r"61 seconds (ahead of|behind) InfluxDB"):
        one_pass(stand.replica, stand.rows, snapshot(*HOME), at=NOON)
    assert stand.wire.bodies == []


def test_a_clock_that_went_back_keeps_the_order(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.replica = stand.fresh()
    stand.reconcile(*HOME[:3], entity(2, name="later"), after=-30)
    assert [r.fields.get("name") for r in stand.replica.timeline(entity(2).key)] == [None, "later"]


def test_a_pass_over_an_old_backup_is_not_swallowed_by_retention(stand: Stand) -> None:
    stand.wire.retention = 30 * DAY
    one_pass(stand.replica, stand.rows, snapshot(*HOME), at=NOON - 60 * DAY)
    assert all(parse_line(line)[3] >= int(NOON) * 10**9 - 1 for line in stand.wire.lines())
