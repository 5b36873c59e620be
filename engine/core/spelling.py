"""How a text that people type is matched with the ids and names of records: in any case, as Home Assistant does.

Home Assistant writes entity_ids, domains and most ids in lower case, and those of config entries and categories in upper case.
"""

from unicodedata import normalize


def folded(text: str) -> str:
    """The text as it is compared: without blanks around it, without case, and with each accent written in one way."""
    return normalize("NFC", normalize("NFC", text.strip()).casefold())


def spellings(text: str) -> tuple[str, ...]:
    """How an id or entity_id that was typed may be written, as typed first; each once."""
    typed = text.strip()
    return tuple(dict.fromkeys((typed, typed.lower(), typed.upper())))
