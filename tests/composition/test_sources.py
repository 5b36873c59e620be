"""Sources are opened in an event loop, so their modules are loaded before, in a thread."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PROGRAM = """
import sys
from msgspec.structs import replace
from engine.composition.sources import load_adapter, open_source
from engine.secret import Secret
from engine.settings.sections import LoadedSettings, Settings

settings = Settings()
settings = replace(settings, source=replace(settings.source, uri=sys.argv[1]))
load_adapter(settings)
before = set(sys.modules)
secrets = {"source.token": Secret("t"), "source.backup_key": Secret("")}
open_source(LoadedSettings(settings, {}, secrets, {}))
print(*sorted(sys.modules.keys() - before))
"""


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["ws://home:8123", "https://home", "storage:.", "backup:x.tar", "capture:."])
def test_to_open_a_source_loads_nothing_that_was_not_loaded_before(uri: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, uri], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, []), done.stderr
