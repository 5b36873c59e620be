"""Requests extended entity rows; a command that Home Assistant refuses is split until the rows at fault are found.

Home Assistant checks every entity_id of `get_entries` and refuses them all for one (`invalid_format`), or fails while it
writes the answer (`unknown_error`, where an integration left a value in a row that JSON cannot express). Entity_ids
kept from earlier versions that are invalid today, such as `media_player.x__y`, are requested one by one; Home
Assistant looks others up in lower case, and answers null. (2024.3.3 and 2026.11.0, seen 2026-11-28.)
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from engine.ports import Progress
from engine.sources.answers.command_results import ENTITY_ENTRIES
from engine.sources.answers.commands import CommandFailed, CommandSender

# A dozen refusals find one row at fault; the limit ends the search in a core that refuses everything.
REFUSALS_MAX = 500

# Error codes that are not about the requested entities.
_NOT_ABOUT_ROWS = ("unauthorized", "unknown_command")

# `valid_entity_id`, https://github.com/home-assistant/core/blob/2024.3.3/homeassistant/core.py
_VALID = re.compile(r"(?!.+__)(?!_)[\da-z_]+(?<!_)\.(?!_)[\da-z_]+(?<!_)")


class Answers(NamedTuple):
    """The undecoded answers of `get_entries`, and the entity_ids that it refused."""

    results: list[msgspec.Raw]
    refused: set[str]


def is_valid(entity_id: str) -> bool:
    """Whether Home Assistant accepts the entity_id as valid."""
    return _VALID.fullmatch(entity_id) is not None


async def ask_for_entries(
    connection: CommandSender, entity_ids: Sequence[str], per_command: int, progress: Progress
) -> Answers:
    """Request the extended rows of these entities in chunks.

    Raises SourceError, also where Home Assistant refuses the command rather than a row.
    """
    answers, refusals, left = Answers([], set()), 0, len(entity_ids)
    chunks = _chunks(entity_ids, per_command)
    while chunks:
        chunk = chunks.pop()
        progress("entities", len(entity_ids) - left, len(entity_ids))
        try:
            answers.results.append(await connection.command(ENTITY_ENTRIES, entity_ids=chunk))
            left -= len(chunk)
        except CommandFailed as error:
            if error.code in _NOT_ABOUT_ROWS:
                raise
            refusals += 1
            half = len(chunk) // 2
            if half and refusals < REFUSALS_MAX:
                chunks += [chunk[half:], chunk[:half]]
            else:
                answers.refused.update(chunk)
                left -= len(chunk)
    if any(map(is_valid, answers.refused)):
        # An empty request works unless the command itself is refused rather than a row.
        await connection.command(ENTITY_ENTRIES, entity_ids=[])
    progress("entities", len(entity_ids), len(entity_ids))
    return answers


def _chunks(entity_ids: Sequence[str], per_command: int) -> list[list[str]]:
    """The chunks to request, last first; invalid entity_ids are in chunks of their own."""
    valid = list(filter(_VALID.fullmatch, entity_ids))
    others = []
    if len(valid) < len(entity_ids):
        others = [entity_id for entity_id in entity_ids if not is_valid(entity_id)]
    return [
        ids[at : at + per_command]
        for ids in (others, valid)
        for at in reversed(range(0, len(ids), per_command))
    ]
