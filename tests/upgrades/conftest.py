"""The command in this process, on a machine without settings."""

from tests.commandline.in_process import nobodys_machine, reconcile

__all__ = ["nobodys_machine", "reconcile"]
