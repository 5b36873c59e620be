"""What the rows file notes about itself reads back, and only where rows are as this program would write them."""

from pathlib import Path

import apsw

from engine.replicas.rows.replica import open_rows


def test_a_note_about_equal_replicas_replaces_the_one_before(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    assert rows.equal_replicas() is None
    for text in ("one", "two"):
        rows.note_equal_replicas(text)
        assert rows.equal_replicas() == text
    rows.record_applied("history", (), 0.0, place="here")
    assert (rows.place("history"), rows.place("influxdb"), rows.equal_replicas()) == ("here", None, "two")
    rows.close()


def test_a_note_about_rows_of_another_layout_says_nothing(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    rows.note_equal_replicas("one")
    connection = apsw.Connection(str(rows.path))
    connection.execute("UPDATE reconcile_meta SET value = 0 WHERE name = 'row_layout'")
    connection.close()
    assert rows.equal_replicas() is None
    rows.close()


def test_the_secret_of_a_file_is_generated_once(tmp_path: Path) -> None:
    rows = open_rows(tmp_path / "rows.db")
    assert rows.secret() is None
    drawn = rows.make_secret()
    assert drawn == rows.make_secret() == rows.secret()
    rows.close()
