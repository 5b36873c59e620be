"""A row of the feed as readers get it."""

from api.changes.envelope import change_of_row


def test_a_row_becomes_an_envelope() -> None:
    row = (7, "d", "area", "attic", '{"name":"Attic"}', None, 1.5, "pending", "run", "2026.11.0")
    change = change_of_row(row)
    assert (change.seq, change.op, change.key, change.before, change.after) == (
        7,
        "d",
        "attic",
        {"name": "Attic"},
        None,
    )
    assert (change.ts_ms, change.source.revision, change.source.version) == (1500, 7, "2026.11.0")
