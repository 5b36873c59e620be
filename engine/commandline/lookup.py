"""Finds the one record that a user's input means. Refuses rather than guesses."""

import difflib
from collections.abc import Callable, Mapping, Sequence

from engine.commandline.text.safe_text import name_text, visible
from engine.core.compare.stored import StoredRow
from engine.core.counts import plural
from engine.core.records.record import Key
from engine.core.records.registries import REGISTRIES
from engine.core.spelling import folded
from engine.core.state.fate import Fate, Former, fate_of
from engine.errors import EngineError

_LISTED_MAX = 5
_BEGINNING_MIN = 3  # characters: fewer begin too many names


class KeyUnknown(EngineError):
    """No record, or more than one, has that name."""


class Ambiguous(KeyUnknown):
    """Several records have that name."""

    def __init__(self, text: str, keys: Sequence[Key], rows: Mapping[Key, StoredRow]) -> None:
        """The error for these records."""
        super().__init__(
            f"{plural(len(keys), 'record')} are called {name_text(text)}.",
            f"Choose one: {_listed(list(keys), rows)}.",
        )
        self.keys = tuple(keys)
        self._rows = rows

    def distinguish(self, words: Mapping[Key, str], first: Sequence[Key]) -> None:
        """Add a word to each record in the hint, with the `first` ones listed before the others."""
        keys = [*first, *(key for key in self.keys if key not in first)]
        self.hint = f"Choose one: {_listed(keys, self._rows, words)}."


class NotStored(KeyUnknown):
    """No record has that name now; one may have had it."""


def named_key(text: str) -> Key | None:
    """The key written as REGISTRY/ID, whether or not there is such a record."""
    registry, slash, id_ = text.strip().partition("/")
    registry = registry.lower()
    return Key(registry, id_) if slash and id_ and registry in REGISTRIES else None


def find_key(text: str, rows: Mapping[Key, StoredRow]) -> Key:
    """The key that `text` means: REGISTRY/ID, else an entity_id, else an id, else a name of one record; without an
    exact match, in any case. Blanks around it do not count.

    Raises KeyUnknown with similar names, or with the candidates.
    """
    key = named_key(text)
    if key is not None and key in rows:
        return key
    text, wanted = text.strip(), folded(text)
    for matches in (
        [k for k, row in rows.items() if k.registry == "entity" and row.fields.get("entity_id") == text],
        [k for k in rows if k.id == text],
        [k for k, row in rows.items() if text in _names(row)],
        [k for k, row in rows.items() if wanted in map(folded, (k.id, str(k), *_names(row)))],
    ):
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise Ambiguous(text, sorted(matches), rows)
    raise NotStored(f"No stored record is called {name_text(text)}.", _close(text, rows))


def _names(row: StoredRow) -> list[str]:
    """A record's names: in Home Assistant, its own label, and an entity's entity_id."""
    names = (row.label, row.derived.get("effective_name"), row.fields.get("entity_id"))
    return [name for name in names if isinstance(name, str) and name]


def find_fate(text: str, formers: Sequence[Former], rows: Mapping[Key, StoredRow]) -> Fate | None:
    """What became of the record that was known as `text`; None when there never was one."""
    keys = {former.key for former in formers}
    called = {key: str(rows[key].fields.get("entity_id") or key.id) for key in keys & rows.keys()}
    return fate_of(text, formers, called)


def check_fate(
    text: str,
    formers: Sequence[Former],
    rows: Mapping[Key, StoredRow],
    has_versions: Callable[[Key], bool] = lambda _key: False,
) -> Key:
    """The key of the record that was known as `text` and has another name now.

    `has_versions`: whether `reconcile history` has any version of a record.

    Raises KeyUnknown, which explains what became of a record without a row, or that none ever had the name.
    """
    fate = find_fate(text, formers, rows)
    if fate is None:
        raise KeyUnknown(f"No stored record is called {name_text(text)}.", _close(text, rows))
    key = Key(fate.registry, fate.id)
    if fate.what != "renamed":
        hint = f"Its versions: reconcile history {visible(str(key))}" if has_versions(key) else ""
        raise KeyUnknown(fate.text, hint)
    return key


def _close(text: str, rows: Mapping[Key, StoredRow]) -> str:
    names: dict[str, Key] = {}
    for key, row in rows.items():
        for name in (str(key), key.id, row.label, row.fields.get("entity_id")):
            if isinstance(name, str):
                names.setdefault(folded(name), key)
    wanted = folded(text)
    begin = [name for name in names if name.startswith(wanted)] if len(wanted) >= _BEGINNING_MIN else []
    close = difflib.get_close_matches(wanted, names, n=_LISTED_MAX)
    keys = list(dict.fromkeys(names[name] for name in (*begin, *close)))
    return (
        f"Did you mean {_listed(keys, rows)}?"
        if keys
        else "A KEY is REGISTRY/ID, an entity_id, an id or a name."
    )


def _listed(keys: list[Key], rows: Mapping[Key, StoredRow], words: Mapping[Key, str] | None = None) -> str:
    parts = [_described(key, rows[key], (words or {}).get(key)) for key in keys[:_LISTED_MAX]]
    more = len(keys) - len(parts)
    return ", ".join([*parts, *([f"{more} more"] if more > 0 else [])])


def _described(key: Key, row: StoredRow, word: str | None) -> str:
    called = row.fields.get("entity_id") or row.label
    parts = [visible(str(called))] if called != key.id else []
    parts += [word] if word else []
    return visible(str(key)) + (f" ({', '.join(parts)})" if parts else "")
