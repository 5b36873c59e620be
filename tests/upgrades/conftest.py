"""The command in this process, on a machine of nobody's."""

from tests.commandline.conftest import nobodys_machine, reconcile

__all__ = ["nobodys_machine", "reconcile"]
