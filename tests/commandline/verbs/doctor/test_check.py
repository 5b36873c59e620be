"""One line of the doctor."""

from engine.commandline.verbs.doctor.check import Check


def test_a_check_needs_no_hint() -> None:
    assert Check("rows", "ok", "fine").hint == ""
