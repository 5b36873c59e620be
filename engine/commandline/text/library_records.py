"""Rewords the log messages of libraries: names the library and the place in it.

A library addresses developers ("install this", "please report that"), which does not help the reader of our log;
its text may also contain untrusted input. So their text is logged only at the level debug.
"""

import logging

_MESSAGES = {
    "Invalid HTTP request received.": "refused an invalid HTTP request",
    "Unsupported upgrade request.": "refused to speak another protocol",
}
_OTHER = "message of a library"
_TEXT_LENGTH_MAX = 500


class LibraryRecords(logging.Filter):
    """Rewrites records of every logger but ours; drops none."""

    def __init__(self, ours: str, *, with_text: bool) -> None:
        """`ours` is our logger's name; `with_text` keeps the library's text as a field."""
        super().__init__()
        self._ours = ours
        self._with_text = with_text

    def filter(self, record: logging.LogRecord) -> bool:
        """Always true."""
        if record.name.partition(".")[0] == self._ours:
            return True
        try:
            text = record.getMessage()
        except (TypeError, ValueError):  # arguments that do not match are the library's fault
            text = str(record.msg)
        fields = {"library": record.name, "at": f"{record.filename}:{record.lineno}"}
        if self._with_text:
            fields["text"] = text[:_TEXT_LENGTH_MAX]
        record.msg, record.args = _MESSAGES.get(text, _OTHER), None
        record.fields = fields
        return True
