"""The source `capture:DIR`: a folder of recorded command results.

Each file holds the answer to one command, either the whole result message (`{"id", "type", "success",
"result"}`) or its result alone, and is named after the command: `device_registry_list.json`,
`entity_registry_list.json` (both required), `entity_registry_get_entries.json` (without it five fields of
entities are unknown), `area_`, `floor_`, `label_registry_list.json`,
`category_registry_list_<scope>.json`, `config_entries_get.json`, `get_config.json`,
`device_registry_list_composite_splits.json`, `repairs_list_issues.json`. A registry whose file is missing, or
holds an unknown_command error, is not read.

An entity without an extended row is read from the list, as with a live Home Assistant.
"""

import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import msgspec

from engine.core.home.snapshot import Snapshot
from engine.core.records.registries import BY_NAME, CATEGORY, ENTITY
from engine.errors import SourceInvalid
from engine.files.signature import signature_of
from engine.pass_cache.contents import Cache
from engine.pass_cache.learned import Learned
from engine.ports import Progress, Source
from engine.process.offload import Offload, to_thread
from engine.sources.answers.command_results import (
    LISTS,
    CommandResults,
    CoreConfig,
    Failed,
    decode_config,
)
from engine.sources.answers.listing import Listing
from engine.sources.answers.registry_rows import aliases_look_ordered, decode_entries, has_ordered_aliases
from engine.sources.files.regular_files import FILE_BYTES_MAX, read_regular_file, reading_failed
from engine.sources.json_text import decode_json, is_utf_8
from engine.sources.unchanged.remembering import RememberedAnswers

_SUFFIX = ".json"
_LIST_FILES = {name: f"{BY_NAME[name].capture}.json" for name in LISTS}
_ENTITY_LIST = f"{ENTITY.capture}.json"
_ENTITY_ENTRIES = "entity_registry_get_entries.json"
_CATEGORY_PREFIX = f"{CATEGORY.capture}_"


class _Error(msgspec.Struct):
    code: str = ""


class _Message(msgspec.Struct):
    type: str | None = None
    success: bool | None = None
    result: msgspec.Raw = msgspec.Raw()
    error: _Error | None = None


# Matched against the bytes in place: copying a large answer costs more than decoding it.
_OBJECT = re.compile(rb"\s*\{")
# How a list of objects, or objects by entity_id (which no key of a message is), begin and end.
_ROWS = re.compile(rb'\[\{|\{"[a-z0-9_]+\.[a-z0-9_]+":\{')
_END = re.compile(rb"[\]}]\s*\Z")
_TAIL_BYTES = 64
_RAW = msgspec.json.Decoder(msgspec.Raw)
_MESSAGE = msgspec.json.Decoder(_Message)


class CaptureSource(Source):
    """Reads a folder of recorded command results; `clock` gives Unix seconds."""

    def __init__(
        self, directory: Path, *, clock: Callable[[], float] = time.time, offload: Offload = to_thread
    ) -> None:
        self._directory = directory
        self._offload = offload
        self._clock = clock
        self._answers = RememberedAnswers(self.origin, are_extended_apart=True)

    @property
    def origin(self) -> str:
        """The source as shown to users."""
        return f"capture:{self._directory}"

    def recall(self, cache: Cache | None) -> Snapshot | None:
        """Start with what an earlier process learned, or with nothing; see `cache_ports.Recalling`."""
        return self._answers.recall(cache)

    def has_learned(self) -> bool:
        """Whether there is anything that the cache lacks."""
        return self._answers.has_learned()

    def learned(self) -> Learned | None:
        """What the last read learned; None if equal files would not mean an equal home."""
        return self._answers.learned()

    def look(self) -> object:
        """As `Polled`."""
        try:
            files = sorted(path for path in self._directory.iterdir() if path.suffix == _SUFFIX)
            return [(path, signature_of(path)) for path in files]
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return None

    async def read(self, progress: Progress) -> Snapshot:
        """Read the recording. Raises SourceInvalid naming the file that is missing or cannot be read."""
        return await self._offload(partial(self._read, progress))

    def _read(self, progress: Progress) -> Snapshot:
        try:
            if not self._directory.is_dir():
                raise SourceInvalid(
                    f"{self.origin} is not a folder.",
                    "Let source.uri name a folder of recorded command results.",
                )
            return self._read_folder(progress)
        except OSError as error:
            raise reading_failed(self.origin, error) from error

    def _read_folder(self, progress: Progress) -> Snapshot:
        # As old as its oldest answer: changes from now on may be missing.
        taken_at = self._clock()
        lists = {}
        for done, (registry, name) in enumerate(_LIST_FILES.items()):
            progress(f"{registry} list", done, len(_LIST_FILES) + 1)
            answer = self._needed(name) if registry == "device" else self._result(name)
            if answer is not None:
                lists[registry] = answer
        categories = self._categories()
        missing = {
            registry: f"{self._directory / name} is missing, or holds no result"
            for registry, name in (*_LIST_FILES.items(), ("category", f"{_CATEGORY_PREFIX}*.json"))
            if registry not in lists and not (registry == "category" and categories)
        }
        config_answer = self._result("get_config.json")
        config = CoreConfig() if config_answer is None else decode_config(config_answer)
        results = CommandResults(
            entities=self._entities(config),
            lists=lists,
            categories=categories,
            configs=(config,),
            splits=self._aside("device_registry_list_composite_splits.json"),
            issues=self._aside("repairs_list_issues.json"),
            missing=missing,
        )
        progress("entity list", len(_LIST_FILES) + 1, len(_LIST_FILES) + 1)
        return self._answers.make(results, taken_at=taken_at, origin=self.origin)

    def _entities(self, config: CoreConfig) -> Listing:
        answer = self._needed(_ENTITY_LIST, may_be_undecoded=True)
        entries = self._result(_ENTITY_ENTRIES, may_be_undecoded=True)
        try:
            return self._read_entities(config, answer, entries)
        except SourceInvalid:
            for name in (_ENTITY_LIST, _ENTITY_ENTRIES):
                self._result(name)  # if this file is not JSON, the error names it
            raise

    def _read_entities(self, config: CoreConfig, answer: msgspec.Raw, entries: msgspec.Raw | None) -> Listing:
        ordered = has_ordered_aliases(config.version)
        if ordered is None:
            # Without extended rows there are no aliases; both forms have the same default.
            ordered = entries is None or aliases_look_ordered(entries)
        self._answers.begin(config.version, aliases_ordered=ordered)
        is_same = self._answers.begin_with({"entries": entries})
        wanted = self._answers.entities.take_list(answer)
        # Recorded at another time than the list, so an entity's extended row may differ although its list row is the same.
        decoded = {} if entries is None or (is_same and not wanted) else decode_entries(entries)
        if not (is_same or (entries is not None and self._answers.entities.are_completed_by(decoded))):
            self._answers.forget()
            self._answers.begin(config.version, aliases_ordered=ordered)
            self._answers.begin_with({"entries": entries})
            wanted = self._answers.entities.take_list(answer)
        rows = self._answers.entities
        if entries is None:
            return rows.take_list_only()
        # No command can be sent here: an entity without an extended row is read from the list.
        entities = rows.take_entries([decoded], is_final=True)
        assert entities is not None
        return entities

    def _categories(self) -> dict[str, msgspec.Raw] | None:
        paths = sorted(self._directory.glob(f"{_CATEGORY_PREFIX}*.json"))
        answers = {p.stem.removeprefix(_CATEGORY_PREFIX): self._result(p.name) for p in paths}
        known = {scope: answer for scope, answer in answers.items() if answer is not None}
        return known or None

    def _needed(self, name: str, *, may_be_undecoded: bool = False) -> msgspec.Raw:
        answer = self._result(name, may_be_undecoded=may_be_undecoded)
        if answer is None:
            raise SourceInvalid(
                f"{self._directory / name} is missing, or holds no result.",
                "A recording needs at least the device and the entity list.",
            )
        return answer

    def _aside(self, name: str) -> msgspec.Raw | Failed | None:
        """As `_result`, for an answer that is not a registry: if it cannot be read, the others are trusted less."""
        try:
            return self._result(name)
        except SourceInvalid as error:
            return Failed(error.message.rstrip("."))

    def _result(self, name: str, *, may_be_undecoded: bool = False) -> msgspec.Raw | None:
        """The recorded result; None when there is none, because the core did not know the command.

        With `may_be_undecoded` the result is not checked to be JSON: if it is unchanged, it is never decoded.
        """
        path = self._directory / name
        try:
            text, _ = read_regular_file(path, FILE_BYTES_MAX)
        except FileNotFoundError:
            return None
        except PermissionError as error:
            raise SourceInvalid(f"{path} may not be read.", "Change the file's owner or mode.") from error
        if may_be_undecoded and (undecoded := _rows_of(text)) is not None:
            return undecoded
        raw = decode_json(_RAW, text, str(path))
        if not _OBJECT.match(memoryview(raw)):
            return raw
        message = decode_json(_MESSAGE, raw, str(path))
        if message.type != "result":
            return raw
        if message.success is True:
            return message.result
        code = message.error.code if message.error else "no error code"
        if code == "unknown_command":
            return None
        raise SourceInvalid(f"{path} is a recorded failure ({code}).", "Record it again.")


def _rows_of(text: bytes) -> msgspec.Raw | None:
    """The text without trailing white space, if it begins and ends like the rows of a command's answer; the rest is not checked."""
    end = _END.search(text, max(0, len(text) - _TAIL_BYTES))
    if end is None or _ROWS.match(text) is None or not is_utf_8(text):
        return None
    return msgspec.Raw(text if end.end() == end.start() + 1 else memoryview(text)[: end.start() + 1])
