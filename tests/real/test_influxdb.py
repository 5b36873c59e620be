"""The InfluxDB replica against a real InfluxDB 1.6.7, over wire v1."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.core.compare.diff import Cause
from engine.core.records.record import Area, Device, Key
from engine.core.records.record_json import canonical_fields
from tests.homes import ENTRY, NOON, device, entity, snapshot
from tests.real.influxdb_stand import Stand
from tests.replicas.passes import one_pass, plan_of, run_of

HOME = (ENTRY, Area(area_id="kitchen", name="Kitchen"), device(1, area_id="kitchen"), entity(1), entity(2))


def test_a_home_is_written_and_followed(stand: Stand) -> None:
    stand.reconcile(*HOME)
    stand.reconcile(*HOME[:3], entity(1, name="Lamp"), entity(3), at=NOON + 60)
    ops = [(r.op, r.rev, r.fields.get("name")) for r in stand.replica.timeline(entity(1).key)]
    assert ops == [("create", 1, None), ("update", 2, "Lamp")]
    assert [(r.op, r.hash) for r in stand.replica.timeline(entity(2).key)][1:] == [("delete", "-")]
    before = stand.replica.as_of(NOON)
    assert {key: revision.hash for key, revision in before.items()} == snapshot(*HOME).home.hashes
    assert stand.replica.as_of(NOON - 1) == {}
    assert set(stand.replica.as_of(time.time() + 3600)) == {r.key for r in (*HOME[:4], entity(3))}


def test_a_pass_without_changes_writes_nothing(stand: Stand) -> None:
    stand.reconcile(*HOME)
    before = stand.server.query(f"SELECT count(*) FROM /.*/ WHERE site = '{stand.site}'")
    for replica in (stand.replica, stand.fresh()):
        assert one_pass(replica, stand.rows, snapshot(*HOME)).operations == ()
        replica.upkeep(snapshot(*HOME), run_of(replica, snapshot(*HOME)))
    assert stand.server.query(f"SELECT count(*) FROM /.*/ WHERE site = '{stand.site}'") == before


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "",
        '"',
        "\\",
        '\\"',
        "\n",
        "a,b=c d",
        "${x}",
        "\\\\",
        "\\n",
        "trailing\\",
        "\r\n",
        "\t",
        "é\u0301",
        "\0",
        "%41",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(id_=TEXT.filter(bool), name=TEXT, extra=st.dictionaries(TEXT, TEXT, max_size=3))
def test_any_text_returns_from_the_server(stand: Stand, id_: str, name: str, extra: dict[str, str]) -> None:
    written = Device(id=id_, name=name, name_by_user=name[::-1], extra={f"x{k}": v for k, v in extra.items()})
    one_pass(stand.replica, stand.rows, snapshot(written))
    assert stand.fresh().observe().versions == snapshot(written).home.hashes
    assert stand.replica.read([written.key])[written.key].fields == canonical_fields(written)
    assert stand.replica.timeline(written.key)[-1].fields == canonical_fields(written)


@pytest.mark.parametrize("size", [0, 64_000, 300_000])
def test_long_texts_return_from_the_server(stand: Stand, size: int) -> None:
    stand.reconcile(entity(1, name='"\\ü' * (size // 4)))


def test_a_deleted_an_altered_and_a_foreign_point_are_found_and_healed(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    altered, lost = entity(1), entity(2)
    [row] = own_stand.server.query(f"SELECT payload FROM ha_entity WHERE id = '{altered.id}'")
    own_stand.server.write(f'ha_entity,site=home,id={altered.id} payload="{{}}" {row["time"]}')
    own_stand.server.query(f"DELETE FROM ha_entity WHERE id = '{lost.id}'")
    own_stand.server.write(f'ha_device,site=home,id=bogus hash="1:00",payload="x" {row["time"]}')
    own_stand.server.write('ha_device,site=home hash="1:00" 1\nha_device,site=other,id=theirs hash="1:00" 1')
    plan = plan_of(own_stand.fresh(), own_stand.rows, snapshot(*HOME))
    causes = {d.key: d.cause for d in plan.diff.differences}
    assert causes == {
        altered.key: Cause.DRIFT,
        lost.key: Cause.DRIFT,
        Key("device", "bogus"): Cause.FOREIGN,
    }
    one_pass(own_stand.fresh(), own_stand.rows, snapshot(*HOME), prune_foreign=True, at=NOON + 1)
    assert own_stand.fresh().observe().versions == snapshot(*HOME).home.hashes
    assert own_stand.replica.timeline(altered.key)[-1].op == "repair"


def test_a_value_of_another_type_hides_no_record(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    week_ago = int((NOON - 9 * 86_400) * 1e9)
    own_stand.server.write(f"ha_entity,site=home,id=x hash=1.5 {week_ago}")
    assert own_stand.fresh().observe().versions == snapshot(*HOME).home.hashes


def test_a_point_of_the_future_is_overruled(own_stand: Stand) -> None:
    own_stand.reconcile(*HOME)
    future = int((time.time() + 365 * 86_400) * 1e9)
    own_stand.server.write(f'ha_entity,site=home,id={entity(1).id} hash="1:00",payload="{{}}" {future}')
    own_stand.replica = own_stand.fresh()
    own_stand.reconcile(*HOME, at=NOON + 1)
    changed = (*HOME[:3], entity(1, name="new"), entity(2, name="new"))
    own_stand.reconcile(*changed, at=NOON + 2)
    assert own_stand.replica.timeline(entity(2).key)[-1].at < time.time() + 3600
