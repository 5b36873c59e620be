"""The contract of every form of source: the same home, however it is read.

Each source reads the recorded home of its version after an edit session; `storage/` was taken at the same
moment as `rich/`.
"""

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from engine.core.home.snapshot import Snapshot
from engine.core.records.content_hash import content_hash
from engine.core.records.record import Key, Record
from engine.core.records.record_json import canonical_fields
from engine.core.records.registries import REGISTRIES
from engine.ports import Source
from engine.sources.files.backup import BackupSource
from engine.sources.files.capture import CaptureSource
from engine.sources.files.storage import StorageSource
from engine.sources.live.websocket import WebsocketSource
from tests.contract.form_limits import unknown_fields
from tests.examples import first_quick
from tests.fakes.home_assistant import TOKEN, fake_home_assistant
from tests.sources.recorded_homes import DATA, VERSIONS, clock, fake_answers, quiet, write_backup

pytestmark = pytest.mark.anyio
FORMS = ("capture", "storage", "backup", "websocket")


@asynccontextmanager
async def source_of(form: str, version: str, tmp_path: Path) -> AsyncIterator[Source]:
    folder = DATA / version
    if form == "websocket":
        async with fake_home_assistant(fake_answers(folder / "rich"), ha_version=version) as fake:
            yield WebsocketSource(fake.uri, TOKEN, clock=clock)
    elif form == "capture":
        yield CaptureSource(folder / "rich", clock=clock)
    elif form == "storage":
        yield StorageSource(folder / "storage", clock=clock)
    else:
        file = write_backup(
            tmp_path / f"{version}.tar",
            folder / "storage",
            info={"homeassistant": {"version": version}},
            compressed=version != "2024.3.3",
        )
        yield BackupSource(file, clock=clock)


async def read(form: str, version: str, tmp_path: Path) -> Snapshot:
    async with source_of(form, version, tmp_path) as source:
        return await source.read(quiet)


def shared_hashes(
    snapshot: Snapshot, unknown: dict[str, frozenset[str]], registries: frozenset[str]
) -> dict[Key, str]:
    return {
        key: content_hash(without(record, unknown.get(key.registry, frozenset())))
        for key, record in snapshot.home.records.items()
        if key.registry in registries
    }


def without(record: Record, fields: frozenset[str]) -> Record:
    """The record with these fields at their default."""
    kept = {name: value for name, value in canonical_fields(record).items() if name not in fields}
    return msgspec.convert(kept, type(record))


@pytest.mark.parametrize("version", first_quick(VERSIONS))
@pytest.mark.parametrize("form", FORMS)
async def test_all_forms_of_a_home_agree_in_the_fields_they_share(
    form: str, version: str, tmp_path: Path
) -> None:
    reference = await read("storage", version, tmp_path)
    snapshot = await read(form, version, tmp_path)
    unknown = unknown_fields(form, version)
    registries = snapshot.reading.registries & reference.reading.registries

    assert shared_hashes(snapshot, unknown, registries) == shared_hashes(reference, unknown, registries)
    assert len(snapshot.home.records) > 150


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_recording_equals_the_full_original(version: str, tmp_path: Path) -> None:
    capture = await read("capture", version, tmp_path)
    live = await read("websocket", version, tmp_path)

    assert capture.home.hashes == live.home.hashes
    assert capture.home.records == live.home.records
    assert (capture.reading.registries, capture.reading.health, capture.reading.splits) == (
        live.reading.registries,
        live.reading.health,
        live.reading.splits,
    )


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_backup_equals_the_folder_in_full(version: str, tmp_path: Path) -> None:
    backup = await read("backup", version, tmp_path)
    storage = await read("storage", version, tmp_path)

    assert backup.home.records == storage.home.records
    assert backup.reading.removed == storage.reading.removed
    assert backup.reading.removed
    assert backup.reading.health.ha_version == version


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
async def test_a_source_shows_its_records_and_the_time_of_the_read(
    form: str, version: str, tmp_path: Path
) -> None:
    snapshot = await read(form, version, tmp_path)

    # 2024.3.3 has no category registry: no command, and no file, which is not read as an empty one.
    knows_categories = version != "2024.3.3"
    expected = set(REGISTRIES) if knows_categories else set(REGISTRIES) - {"category"}
    assert snapshot.reading.registries == expected
    assert snapshot.reading.taken_at == (1795434000.5 if form == "backup" else 1795434000.0)
    assert not snapshot.reading.removed & snapshot.home.records.keys()
    assert all(key.registry in snapshot.reading.registries for key in snapshot.home.records)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("form", FORMS)
async def test_two_reads_of_one_source_are_equal(form: str, version: str, tmp_path: Path) -> None:
    async with source_of(form, version, tmp_path) as source:
        first, second = await source.read(quiet), await source.read(quiet)

    assert first.home.hashes == second.home.hashes
    assert first.home.row_versions == second.home.row_versions


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("seed", first_quick(range(5)))
async def test_the_order_of_rows_and_sets_means_nothing(seed: int, version: str, tmp_path: Path) -> None:
    answers = fake_answers(DATA / version / "rich")
    order = random.Random(seed)
    async with fake_home_assistant(answers, ha_version=version) as fake:
        source = WebsocketSource(fake.uri, TOKEN, clock=clock)
        before = await source.read(quiet)
        ordered_aliases = version != "2024.3.3"
        for command, answer in list(answers.items()):
            if command.endswith("/get_entries"):
                fake.answers[command] = lambda p, a=answer: shuffled(
                    a(p), order, aliases_too=not ordered_aliases
                )
            elif not callable(answer):
                fake.answers[command] = shuffled(answer, order, aliases_too=True)
        after = await source.read(quiet)

    assert after.home.hashes == before.home.hashes


# Lists that are sets. Everything else keeps its order: a pair in `identifiers`, options, capabilities.
SETS = ("identifiers", "connections", "labels", "config_entries")


def shuffled(value: Any, order: random.Random, *, aliases_too: bool) -> Any:
    """The same JSON with rows, keys and sets in another order."""
    if isinstance(value, list):
        return [shuffled(v, order, aliases_too=aliases_too) for v in order.sample(value, len(value))]
    if not isinstance(value, dict):
        return value
    changed = {}
    for name in order.sample(list(value), len(value)):
        inner = value[name]
        if name in SETS or (name == "aliases" and aliases_too):
            inner = order.sample(inner, len(inner))
        elif isinstance(inner, dict) and "entity_id" in inner:
            inner = shuffled(inner, order, aliases_too=aliases_too)
        changed[name] = inner
    return changed
