"""Config subentries: parts of a config entry with their own titles (2025.3 and later), such as a conversation agent.

Only id, type and title are kept: their `data` holds passwords, as the entry's does. Stored entries
contain them; the live API lists them one entry at a time, and only for an administrator. For any other user they are
unknown.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from engine.core.decode_errors import DECODE_ERRORS
from engine.core.records.record import Json
from engine.sources.answers.commands import CommandFailed, CommandSender

LIST_SUBENTRIES = "config_entries/subentries/list"


class _Subentry(msgspec.Struct):
    """The fields that are kept; no other is ever decoded."""

    subentry_id: Json = None
    subentry_type: Json = None
    title: Json = None


class _ConfigEntryRow(msgspec.Struct):
    entry_id: Json = None
    num_subentries: Json = None


_SUBENTRIES = msgspec.json.Decoder(list[_Subentry])
_ENTRY = msgspec.json.Decoder(_ConfigEntryRow)
_ROWS = msgspec.json.Decoder(list[msgspec.Raw])
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def decode_subentries(listed: msgspec.Raw | bytes) -> list[dict[str, Any]]:
    """Id, type and title of each subentry in a JSON list, sorted by id; empty when it is not such a list."""
    try:
        return _kept(_SUBENTRIES.decode(listed))
    except DECODE_ERRORS:
        return []


def subentries_of(listed: Json) -> list[dict[str, Any]]:
    """As `decode_subentries`, for a decoded list."""
    rows = listed if isinstance(listed, list) else []
    names = ("subentry_id", "subentry_type", "title")
    return _kept(_Subentry(*(row.get(name) for name in names)) for row in rows if isinstance(row, dict))


def _kept(rows: Iterable[_Subentry]) -> list[dict[str, Any]]:
    kept = {
        row.subentry_id: {
            "subentry_id": row.subentry_id,
            **{
                name: str(value)
                for name, value in (("subentry_type", row.subentry_type), ("title", row.title))
                if value is not None
            },
        }
        for row in rows
        if isinstance(row.subentry_id, str) and row.subentry_id
    }
    return [kept[id_] for id_ in sorted(kept)]


async def with_subentries(connection: CommandSender, answer: msgspec.Raw) -> msgspec.Raw:
    """The answer of `config_entries/get` with the subentries of its entries added, as far as Home Assistant lists them."""
    try:
        rows = _ROWS.decode(answer)
    except DECODE_ERRORS:
        return answer  # the reader of the list reports the error
    found: dict[int, msgspec.Raw] = {}
    for position, row in enumerate(rows):
        entry = _entry(row)
        if not isinstance(entry.num_subentries, int) or entry.num_subentries < 1:
            continue
        try:
            listed = await connection.command(LIST_SUBENTRIES, entry_id=entry.entry_id)
        except CommandFailed as error:
            if error.code in ("unauthorized", "unknown_command"):
                return answer
            continue
        found[position] = msgspec.Raw(msgspec.json.encode(decode_subentries(listed)))
    if not found:
        return answer
    for position, subentries in found.items():
        fields = {**_FIELDS.decode(rows[position]), "subentries": subentries}
        rows[position] = msgspec.Raw(msgspec.json.encode(fields))
    return msgspec.Raw(msgspec.json.encode(rows))


def _entry(row: msgspec.Raw) -> _ConfigEntryRow:
    try:
        return _ENTRY.decode(row)
    except DECODE_ERRORS:
        return _ConfigEntryRow()  # an odd row does not affect the others
