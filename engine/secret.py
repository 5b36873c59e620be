"""A secret from a file or the environment, which appears as stars if it is shown by mistake."""


class Secret:
    """A text that does not print itself."""

    def __init__(self, text: str) -> None:
        """Keep the text for `reveal`."""
        self._text = text

    def reveal(self) -> str:
        """The text, for the one place that sends it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)
