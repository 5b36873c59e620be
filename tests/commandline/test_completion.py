"""What a shell offers when Tab is pressed: the whole grammar, and the names in the store."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.commandline.arguments.arguments import SHELLS
from engine.commandline.completion import Finder
from tests.commandline.in_process import Reconcile
from tests.commandline.shells import Fish, Terminal, open_shell

# What is typed, and the arguments it becomes on Tab, each followed by a slash. In the folder are FILES.
FILES = ("my home.db", "other")
COMPLETED = {
    "dr": "drift/",
    "config sh": "config/show/",
    "store sn": "store/snapshot/",
    "--form": "--format/",
    "--format js": "--format/json/",
    "--format=js": "--format=json/",
    "drift --col": "drift/--color/",
    "config show --jso": "config/show/--json/",
    "--only flo": "--only/floor/",
    "--only floor,lab": "--only/floor,label/",
    "completion z": "completion/zsh/",
    "docs held": "docs/held/",
    "docs tut": "docs/tutorial/",
    "drift --rows my": "drift/--rows/my home.db/",
    "--rows=my": "--rows=my home.db/",
    "store restore my": "store/restore/my home.db/",
    "--rows drift ser": "--rows/drift/serve/",  # an option's value is no command
    "serve --dry": "serve/--dry/",  # no option of this command
    "--site o": "--site/o/",  # a name is no file
    "show o": "show/o/",
    "drift o": "drift/o/",
}
# Of the rows in the store.
NAMES = {
    "show light.kit": "show/light.kitchen/",
    "history light.kit": "history/light.kitchen/",
    "history compa": "history/compact/",
    "show entity/e1": "show/entity/e1f/",
    "show d7": "show/d7c/",
    "show Kitch": "show/Kitchen lamp (left)/",
    "show Küc": "show/Küche/",
    "show 90": "show/90% $HOME `id` \"x\" \\ 'y'; !a/",  # as it stands, and nothing is run
    "show --rows rows.db --json light.kit": "show/--rows/rows.db/--json/light.kitchen/",
    "show --rows gone.db light.kit": "show/--rows/gone.db/light.kit/",
    "--config homes.toml --site mi": "--config/homes.toml/--site/mill-4/",
    "site --config homes.toml pause mi": "site/--config/homes.toml/pause/mill-4/",
    "show --config homes.toml light.kit": "show/--config/homes.toml/light.kit/",  # of which home?
    "show --config gone.toml light.kit": "show/--config/gone.toml/light.kit/",
    "show Bell": "show/Bell/",  # has a control character
    "show --weird": "show/--weird/",  # would be an option
    "show switch.": "show/switch./",  # no text
}


def make_rows(path: Path) -> None:
    """Rows as any program may have left them, of some registries, with some columns."""
    connection = sqlite3.connect(path)
    connection.executescript(
        """
        CREATE TABLE entities (entity_id TEXT, id TEXT, effective_name TEXT, name TEXT);
        INSERT INTO entities VALUES
            ('light.kitchen', 'e1f', 'Kitchen lamp (left)', NULL), ('lock.door', 'e22', 'Bell' || char(27) || '[31m', NULL),
            (CAST('switch.' || char(0) AS BLOB), 'e33', NULL, 7), ('cover.door', 'e44', CAST(x'42ff' AS TEXT), '');
        CREATE TABLE devices (device_id TEXT, effective_name TEXT, name TEXT, name_by_user TEXT);
        INSERT INTO devices VALUES ('d7c', '90% $HOME `id` "x" \\ ''y''; !a', '', NULL), ('dff', '--weird', NULL, NULL);
        CREATE TABLE areas (area_id TEXT, name TEXT);
        INSERT INTO areas VALUES ('kuche', 'Küche'), (NULL, 'nowhere');
        CREATE TABLE labels (label_id TEXT);
        """
    )
    connection.close()


@pytest.fixture(scope="module", params=SHELLS)
def shell(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Terminal | Fish]:
    folder: Path = tmp_path_factory.mktemp(request.param)
    make_rows(folder / "rows.db")
    (folder / "homes.toml").write_text('[sites]\ndirectory = "homes"\n')
    (folder / "homes").mkdir()
    (folder / "homes/mill-4.toml").touch()
    opened = open_shell(request.param, folder, printed_script(request.param), FILES)
    yield opened
    opened.close()
    assert {path.name for path in folder.glob("rows*")} == {"rows.db"}  # no trace beside it


def printed_script(shell: str) -> str:
    from argcomplete.shell_integration import shellcode

    return shellcode(["reconcile"], use_defaults=False, shell=shell)


@pytest.mark.process
@pytest.mark.parametrize("typed", COMPLETED | NAMES)
def test_tab_completes(typed: str, shell: Terminal | Fish) -> None:
    assert "".join(f"{word}/" for word in shell.complete(typed)) == (COMPLETED | NAMES)[typed]


@pytest.mark.parametrize("shell_name", SHELLS)
def test_the_script_is_the_one_tried_here(shell_name: str, reconcile: Reconcile) -> None:
    assert reconcile("completion", shell_name) == (0, printed_script(shell_name), "")


def test_another_shell_is_a_usage_error_that_names_those_there_are(reconcile: Reconcile) -> None:
    code, out, err = reconcile("completion", "tcsh")
    assert (code, out) == (64, "")
    assert all(shell in err for shell in SHELLS)


def test_many_names_are_filtered_once() -> None:
    words = [f"sensor.{number}" for number in range(50_000)]  # argcomplete's own filter is quadratic
    assert Finder().filter_completions(words * 2) == words


@pytest.mark.process
def test_a_completion_without_a_description_gets_none(tmp_path: Path) -> None:
    line, answer = "reconcile --format=", tmp_path / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_SHELL": "zsh", "_ARGCOMPLETE_SUPPRESS_SPACE": "1"}
    asked |= {"COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_STDOUT_FILENAME": str(answer)}
    environ = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **asked}
    ended = subprocess.run([sys.executable, "-m", "engine"], env=environ, capture_output=True, check=True)
    assert ended.stdout == b""
    assert answer.read_text().split("\v") == ["--format=text:", "--format=json:"]
