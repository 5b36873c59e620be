"""The mirror of one home holds its files open, and releases SQLite's page caches."""

from pathlib import Path

import apsw

from engine.composition.mirror import open_mirror
from engine.core.words import Mode
from engine.replicas.rows.replica import open_rows
from engine.settings.layers import merge_layers, with_secrets
from engine.settings.sections import LoadedSettings
from tests.homes import ENTRY, device, snapshot
from tests.replicas.passes import one_pass
from tests.service_process import SAMPLE

_DEVICES = 1_000


def home_in(folder: Path) -> LoadedSettings:
    rows = open_rows(folder / "rows.db")
    one_pass(rows, rows, snapshot(ENTRY, *(device(number) for number in range(_DEVICES))))
    rows.close()
    given = {"source.uri": SAMPLE, "rows.file": str(folder / "rows.db"), "records.uri": "none"}
    settings, origins = merge_layers([("test", given)], {})
    return with_secrets(settings, origins, {})


async def test_the_readers_page_cache_is_freed_and_read_again(tmp_path: Path) -> None:
    async with open_mirror(home_in(tmp_path), mode=Mode.OBSERVE) as mirror:
        await mirror.forget_pages()  # nothing was read yet

        async def count() -> int:
            return await mirror.rows_reader.read(
                lambda rows: len(rows.page("device", ("name", "model"), (), "", 2 * _DEVICES))
            )

        assert await count() == _DEVICES
        before = apsw.memory_used()
        await mirror.forget_pages()
        assert apsw.memory_used() < before - 200_000
        assert await count() == _DEVICES


async def test_a_file_that_cannot_be_read_keeps_nothing_from_being_freed(tmp_path: Path) -> None:
    async with open_mirror(home_in(tmp_path), mode=Mode.OBSERVE) as mirror:
        await mirror.rows_reader.read(lambda rows: rows.feed_bounds())
        (tmp_path / "rows.db").unlink()
        (tmp_path / "rows.db").write_bytes(b"no database" * 1_000)
        await mirror.forget_pages()
