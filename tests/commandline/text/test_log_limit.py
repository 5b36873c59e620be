"""A repeating fault is logged at once, then at a bounded rate with a count."""

import logging

from engine.commandline.text.log_limit import MESSAGE_LINES_MAX, SAME_LINES_MAX, WINDOW_SECONDS, RepeatLimit


class Log:
    """A logger's lines under a clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0
        self.limit = RepeatLimit(lambda: self.now)

    def passes(self, message: str, level: int = logging.ERROR, **fields: object) -> dict[str, object] | None:
        """The fields of the line as written; None when it was dropped."""
        record = logging.LogRecord("reconcile", level, "", 0, message, None, None)
        record.fields = fields
        return vars(record)["fields"] if self.limit.filter(record) else None


def test_a_repeating_fault_is_logged_once_a_minute_with_a_count() -> None:
    log = Log()
    written = [log.passes("pass failed", reason="disk full") for _ in range(1000)]
    assert [w for w in written if w is not None] == [{"reason": "disk full"}] * SAME_LINES_MAX
    log.now = WINDOW_SECONDS
    assert log.passes("pass failed", reason="disk full") == {"reason": "disk full", "suppressed": 995}
    assert [log.passes("pass failed", reason="disk full") for _ in range(3)] == [None] * 3
    log.now = 2 * WINDOW_SECONDS
    assert log.passes("pass failed", reason="disk full") == {"reason": "disk full", "suppressed": 3}


def test_another_fault_is_logged_at_once() -> None:
    log = Log()
    for _ in range(100):
        log.passes("pass failed", reason="disk full")
    assert log.passes("pass failed", reason="permission denied") is not None
    assert log.passes("changes held back") is not None


def test_one_message_with_ever_new_fields_is_bounded_too() -> None:
    log = Log()
    written = [log.passes("socket.accept() out of system resource", port=port) for port in range(1000)]
    assert sum(w is not None for w in written) == MESSAGE_LINES_MAX
    log.now = WINDOW_SECONDS
    assert log.passes("socket.accept() out of system resource", port=1) is not None


def test_messages_that_are_no_faults_are_always_logged() -> None:
    log = Log()
    assert all(log.passes("change written", logging.INFO, name="x") is not None for _ in range(1000))


def test_a_fault_that_went_away_and_returns_later_is_logged_at_once_again() -> None:
    log = Log()
    for _ in range(3):
        assert log.passes("pass failed", reason="locked") == {"reason": "locked"}
    log.now = 10 * WINDOW_SECONDS
    assert [log.passes("pass failed", reason="locked") for _ in range(SAME_LINES_MAX)] == [
        {"reason": "locked"}
    ] * SAME_LINES_MAX


def test_it_remembers_a_bounded_number_of_lines() -> None:
    log = Log()
    for number in range(5_000):
        log.passes(f"message {number}")
    assert max(len(log.limit._lines), len(log.limit._messages)) <= 1000
