"""`reconcile version`."""

import json
import platform

import engine
from tests.commandline.in_process import Reconcile


def test_the_versions_in_use_are_named(reconcile: Reconcile) -> None:
    code, out, err = reconcile("version")
    assert (code, err) == (0, "")
    assert out.startswith(f"reconcile {engine.__version__}\npython {platform.python_version()}\nsqlite 3.")
    assert json.loads(reconcile("version", "--json").out)["reconcile"] == engine.__version__
