"""Hypothesis strategies: small homes, and edits of them, in which ids, names and links collide often."""

from hypothesis import strategies as st

from engine.core.records.record import Area, ConfigEntry, Device, Entity, Record

_IDS = [f"{n:032x}" for n in range(8)]
_NAMES = st.none() | st.sampled_from(["Lamp", "Küche", "", "Сенсор", "x" * 40])
_LABELS = st.lists(st.sampled_from(["a", "b", "c"]), unique=True).map(tuple)
_AREA_IDS = ["kitchen", "bedroom", "attic"]
ENTRY_ID = "entry"


def devices(id_: str) -> st.SearchStrategy[Device]:
    return st.builds(
        Device,
        id=st.just(id_),
        name=_NAMES,
        name_by_user=_NAMES,
        area_id=st.none() | st.sampled_from(_AREA_IDS),
        labels=_LABELS,
        config_entry_id=st.just(ENTRY_ID),
        parent_device_id=st.none() | st.sampled_from(_IDS[:4]),
        modified_at=st.none() | st.sampled_from([1.5, 2.5]),
        extra=st.just({}) | st.just({"new_key": 1}),
    )


def entities(id_: str, entity_id: str) -> st.SearchStrategy[Entity]:
    return st.builds(
        Entity,
        id=st.just(id_),
        entity_id=st.just(entity_id),
        unique_id=st.just(f"u-{id_}"),
        platform=st.sampled_from(["demo", "sun"]),
        name=_NAMES,
        device_id=st.none() | st.sampled_from(_IDS[:4]),
        options=st.just({}) | st.just({"sensor": {"precision": 1}}),
    )


@st.composite
def homes(draw: st.DrawFn) -> list[Record]:
    """A home: every device, entity and area may or may not be there; entity_ids are a random injection."""
    records: list[Record] = [ConfigEntry(entry_id=ENTRY_ID, domain=draw(st.sampled_from(["demo", "hue"])))]
    records += [Area(area_id=a, name=a.title()) for a in draw(st.sets(st.sampled_from(_AREA_IDS)))]
    records += [draw(devices(i)) for i in draw(st.sets(st.sampled_from(_IDS[:4])))]
    entity_keys = sorted(draw(st.sets(st.sampled_from(_IDS))))
    names = draw(st.permutations([f"sensor.s{n}" for n in range(len(_IDS))]))
    records += [draw(entities(i, name)) for i, name in zip(entity_keys, names, strict=False)]
    return draw(st.permutations(records))
