"""A record's own page: facts that are there, versions against the one before."""

from api.page.views.record import VERSIONS_MAX, device_facts, entity_facts, plain_facts, version_views
from api.registries.bodies.devices_and_entities import DEVICES, ENTITIES
from engine.core.home.derived import Derived
from engine.core.records.record import Key
from engine.core.records.revision import Revision
from tests.homes import NOON, device, entity

KEY = Key("device", "d")
NAMES = {("area", "kitchen"): "Küche", ("device", device(2).id): "Bridge", ("label", "a"): "Alpha"}


def revision(rev: int, op: str, **fields: object) -> Revision:
    hash_ = "-" if op == "delete" else f"b2:{rev}"
    return Revision(KEY, NOON + rev, op, rev, hash_, "r", fields)


def test_versions_are_reported_newest_first_against_the_one_before() -> None:
    views = version_views(
        [
            revision(1, "create", name="One", area_id="kitchen"),
            revision(2, "update", name="Two", area_id="kitchen", modified_at=5.0),
            revision(3, "update", name="Two"),
            revision(4, "delete"),
            revision(5, "create", name="Two"),
        ],
        NAMES,
    )
    reported = [(v.word, [(f.label, f.was, f.is_) for f in v.fields]) for v in views]
    assert reported == [
        ("Seen again", []),
        ("Gone", []),
        ("Changed", [("area", "Küche", None)]),
        ("Changed", [("name", "One", "Two")]),
        ("First seen", []),
    ]
    assert views[0].at == NOON + 5


def test_a_version_is_called_the_first_only_if_none_can_have_been_forgotten() -> None:
    first = [revision(1, "create", name="One")]
    assert [view.word for view in version_views(first, NAMES)] == ["First seen"]
    assert [view.word for view in version_views(first, NAMES, is_all_known=False)] == ["Appeared"]
    later = [revision(4, "create", name="One")]
    assert [view.word for view in version_views(later, NAMES, is_all_known=False)] == ["Seen again"]


def test_only_the_newest_versions_are_shown() -> None:
    views = version_views([revision(n, "update", name=str(n)) for n in range(1, VERSIONS_MAX + 5)], {})
    assert len(views) == VERSIONS_MAX
    assert views[-1].fields[0].was == "4"


def test_a_devices_facts_omit_absent_fields_and_name_known_records() -> None:
    record = device(1, manufacturer="ACME", via_device_id=device(2).id, labels=("a",))
    facts = device_facts(DEVICES.of_record(record, Derived(), ""), NAMES)
    assert [(f.label, f.value) for f in facts] == [
        ("manufacturer", "ACME"),
        ("via device", "Bridge"),
        ("labels", "Alpha"),
        ("status", "active"),
        ("id", record.id),
    ]


def test_an_entitys_secrets_are_no_facts() -> None:
    record = entity(1, options={"lock": {"default_code": "1234"}}, disabled_by="user", name="Mine")
    facts = entity_facts(ENTITIES.of_record(record, Derived(), ""), NAMES)
    assert "1234" not in repr(facts)
    assert {f.label: f.value for f in facts}["disabled"] == "yes"
    views = version_views(
        [
            revision(1, "create", name="a"),
            revision(2, "update", name="a", options={"lock": {"default_code": "1"}}),
        ],
        {},
    )
    assert "default_code" not in repr(views)


def test_ids_are_there_to_be_copied_and_all_that_rows_know_is_reported() -> None:
    record = device(1, hw_version="rev b", identifiers=(("hue", "00:17"),), configuration_url="http://h")
    reported = {
        f.label: (f.value, f.is_copied) for f in device_facts(DEVICES.of_record(record, Derived(), ""), {})
    }
    assert reported["id"] == (record.id, True)
    assert reported["hw version"] == ("rev b", False)
    assert reported["identifiers"] == ("hue, 00:17", False)
    one = entity(1, hidden_by="user", entity_category="config")
    facts = {
        f.label: (f.value, f.is_copied) for f in entity_facts(ENTITIES.of_record(one, Derived(), ""), {})
    }
    assert (facts["entity_id"], facts["id"]) == ((one.entity_id, True), (one.id, True))
    assert (facts["hidden by"], facts["entity category"]) == (("user", False), ("config", False))
    area = {"area_id": "kitchen", "display_name": "Kitchen", "name": "Kitchen"}
    assert [(f.label, f.value, f.is_copied) for f in plain_facts(area, NAMES)] == [
        ("area", "kitchen", True),
        ("name", "Kitchen", False),
    ]


def test_references_of_a_record_are_links_by_name() -> None:
    record = device(1, via_device_id=device(2).id, labels=("a", "b"))
    facts = {
        f.label: f for f in device_facts(DEVICES.of_record(record, Derived(integration="hue"), ""), NAMES)
    }
    assert (facts["via device"].value, facts["via device"].href) == ("Bridge", f"device?id={device(2).id}")
    assert facts["labels"].parts == [("Alpha", "label?id=a"), ("b", "label?id=b")]
    assert facts["integration"].href == "integration?id=entry"
    area = {"area_id": "kitchen", "floor_id": "f", "labels": ["a"]}
    own, floor, labels = plain_facts(area, {**NAMES, ("floor", "f"): "Ground"})
    assert (own.href, own.is_copied) == (None, True)
    assert (floor.value, floor.href, floor.is_copied) == ("Ground", "floor?id=f", False)
    assert labels.parts == [("Alpha", "label?id=a")]
