"""Numbers of things, as sentences have them."""


def plural(number: float, noun: str, form: str = "g", *, many: str = "") -> str:
    """The number with its noun: `1 record`, `2 records`, or `many` where the plural takes more than an s.

    `form` is how the number is written, as f-strings name it.
    """
    shown = f"{number:d}" if isinstance(number, int) and form == "g" else f"{number:{form}}"
    return f"{shown} {noun if shown == '1' else many or f'{noun}s'}"
