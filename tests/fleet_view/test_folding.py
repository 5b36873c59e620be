"""Messages of all topics, made into one batch."""

from engine.fleet_view.folding import Folding
from engine.fleet_view.messages import Oddity
from tests.fleet_view.viewed import DEVICES, NAMES, PARTITIONS, raw, said_device, said_site
from tests.homes import NOON


def test_each_message_is_taken_once() -> None:
    folding = Folding(NAMES, PARTITIONS)
    folding.read([said_device("a", "d1"), raw(DEVICES, None, None, "a"), said_site("a")], NOON)
    folding.read([said_device("b", "d2")], NOON)
    batch = folding.take({(DEVICES, 1): 7}, 5.0)
    assert [(said.site, said.id) for said in batch.devices] == [("a", "d1"), ("b", "d2")]
    assert [said.site for said in batch.sites] == ["a"]
    assert batch.oddities == [Oddity.FOREIGN]
    assert (batch.positions, batch.at) == ({(DEVICES, 1): 7}, 5.0)
    again = folding.take({}, None)
    assert (again.devices, again.sites, again.oddities) == ([], [], [])
