"""Files of homes that were edited without a trace in size and modification time are read again."""

from pathlib import Path

from tests.files.unseen_edits import edit_unseen
from tests.sites.test_files import URI, files, write


def test_a_file_that_was_edited_with_its_size_and_time_kept_is_read_again(tmp_path: Path) -> None:
    write(tmp_path, "a", f'[source]\n{URI}\n[site]\nlabel = "One"\n')
    homes, file = files(tmp_path), tmp_path / "sites.d" / "a.toml"
    homes.read()
    edit_unseen(file, file.read_bytes().replace(b"One", b"Two"))
    (found,) = homes.read().values()
    assert found.loaded is not None
    assert found.loaded.settings.site.label == "Two"
