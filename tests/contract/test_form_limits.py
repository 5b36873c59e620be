"""The table of what each form of a source cannot know, against the recordings."""

from engine.core.records.record import RECORD_TYPES
from tests.contract.form_limits import LIMITS, unknown_fields


def test_limits_name_fields_that_count() -> None:
    for limit in LIMITS:
        record_type = RECORD_TYPES[limit.registry]
        assert set(limit.fields) <= set(record_type.__struct_fields__) - record_type.UNHASHED


def test_a_recent_core_hides_nothing_from_the_websocket() -> None:
    assert unknown_fields("websocket", "2024.3.3")["device"] == {"labels"}
    assert unknown_fields("capture", "2024.3.3") == unknown_fields("websocket", "2024.3.3")
    # Subentries are for administrators.
    assert unknown_fields("websocket", "2024.4.0") == {"config_entry": {"subentries"}}
    assert unknown_fields("websocket", None) == {"config_entry": {"subentries"}}
    assert unknown_fields("storage", "2024.3.3") == {}
