"""The sorting and field selection of lists: by the body's fields, as far as they have a column."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

# Columns read with every row.
_KEYS = ("device_id", "entity_id")


def sort_columns(body: type[msgspec.Struct], columns: tuple[str, ...]) -> dict[str, str]:
    """The column of each field that a list can be sorted by."""
    known = {*columns, *_KEYS}
    named = {name: _COLUMNS.get(name, name) for name in body.__struct_fields__}
    return {name: column for name, column in named.items() if column in known}


# Fields whose name differs from their column's.
_COLUMNS = {
    "via_device": "via_device_id",
    "status": "disabled",
    "timestamp": "last_seen",
    "friendly_name": "effective_name",
}


def query_of(
    name: str, base: type[msgspec.Struct], body: type[msgspec.Struct], columns: tuple[str, ...]
) -> type[msgspec.Struct]:
    """The query struct of a list, which names the fields for sorting and selection."""
    names = "|".join(body.__struct_fields__)
    patterns = {
        "sort": f"^-?({'|'.join(sort_columns(body, columns))})$",
        "fields": f"^({names})(,({names}))*$",
    }
    texts = {
        "sort": "the field to sort by, with a leading - for descending order",
        "fields": "only these fields of each row, separated by commas",
    }
    fields = [
        (
            field,
            Annotated[str, Meta(description=texts[field], extra_json_schema={"pattern": pattern})]
            | UnsetType,
            UNSET,
        )
        for field, pattern in patterns.items()
    ]
    query = msgspec.defstruct(
        name,
        fields,
        bases=(base,),
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    query.__doc__ = base.__doc__
    return query
