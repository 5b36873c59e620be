"""Writes messages into the view's tables: one transaction for each batch, together with the next offset of each partition.

So a killed process continues exactly from its file. The newest message of a device is always the valid one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import apsw
import msgspec

from engine.fleet_view.messages import DeviceFacts, DeviceSaid, Oddity, SiteSaid
from engine.fleet_view.view_file.numbers import SITES_MAX, free_number, numbers_of_device
from engine.fleet_view.view_file.schema import read_rows
from engine.fleet_view.view_file.words import words_of
from engine.replicas.kafka.sites.site_status import SiteStatus

Place = tuple[str, int]  # topic, partition
Model = tuple[str, str, str]  # manufacturer, model, firmware

_MODELS_KEPT = 200_000  # kept in memory; a dropped one is looked up again


_NOTE = (
    "UPDATE site SET claim = ?, owner = ?, said = ?, ts_ms = ?, stage = ?, status = ?, drift_records = ?, is_connected = ?,"
    " tags = ?, searched = ? WHERE number = ?"
)
_NOTHING_SAID = (None, None, None, None, None, None, "", "")
_encode = msgspec.json.Encoder().encode


class Batch(msgspec.Struct, frozen=True):
    """A batch to write: messages in the order of their offsets, and the next offsets to read."""

    devices: list[DeviceSaid]
    sites: list[SiteSaid]
    oddities: list[Oddity]  # of messages that are left out
    positions: dict[Place, int]
    at: float | None = None  # the time up to which the view has everything, if known


class ViewWriter:
    """Writes into the tables. One thread at a time; its memory is only valid for the file that it was created for."""

    def __init__(self, connection: apsw.Connection) -> None:
        """Reads the homes and models in the file."""
        self._sites: dict[str, int] = dict(read_rows(connection, "SELECT name, number FROM site"))
        self._taken = set(self._sites.values())
        self._models: dict[Model, int] = {}
        rows = read_rows(connection, "SELECT name, claim, owner FROM site WHERE claim >= 0")
        self._ranks: dict[str, tuple[int, str]] = {name: (claim, owner) for name, claim, owner in rows}
        self._tags: dict[str, str] = dict(
            read_rows(connection, "SELECT name, tags FROM site WHERE tags != ''")
        )

    def write(self, connection: apsw.Connection, batch: Batch) -> bool:
        """Write the batch within a write transaction; returns whether devices changed, or the ways to find them."""
        work = _Work(connection, self)
        newest = {(said.site, said.id): said for said in batch.devices}
        for said in newest.values():
            work.device(said)
        tags = dict(self._tags)
        for site in batch.sites:
            self._note(connection, site)
        work.finish()
        oddities = Counter(batch.oddities) + Counter(said.oddity for said in batch.devices if said.oddity)
        for oddity, count in (oddities + work.left_out).items():
            _add(connection, str(oddity), count)
        connection.executemany(
            "INSERT INTO position VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
            [(*place, offset) for place, offset in batch.positions.items()],
        )
        if batch.at is not None:
            connection.execute(
                "INSERT INTO meta VALUES ('as_of', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                (batch.at,),
            )
        return bool(newest) or tags != self._tags

    def site(self, connection: apsw.Connection, name: str) -> int | None:
        """The number of a home, assigned if the home is new; None if there are too many homes."""
        number = self._sites.get(name)
        if number is None and len(self._sites) < SITES_MAX:
            number = free_number(name, self._taken)
            connection.execute("INSERT INTO site (number, name) VALUES (?, ?)", (number, name))
            self._sites[name] = number
            self._taken.add(number)
        return number

    def _note(self, connection: apsw.Connection, said: SiteSaid) -> None:
        """Keep a home's status unless a later owner has reported one: writers of these messages are not fenced."""
        number, known = self.site(connection, said.site), self._ranks.get(said.site, (-1, ""))
        if number is None:
            return
        if isinstance(said, SiteStatus):
            if said.rank < known:
                return
            self._ranks[said.site] = said.rank
            values = (*said.rank, *_columns(said))
        else:
            if said.claim is not None and said.claim < known[0]:
                return
            values = (*known, *_NOTHING_SAID)
        connection.execute(_NOTE, (*values, number))
        self._tags.pop(said.site, None)
        if values[-2]:
            self._tags[said.site] = str(values[-2])

    def model(self, connection: apsw.Connection, model: Model) -> int:
        """The number of a model, assigned if the model is new."""
        number = self._models.get(model)
        if number is None:
            values = "manufacturer = ? AND model = ? AND sw_version = ?"
            found = read_rows(connection, f"SELECT number FROM model WHERE {values}", model)  # noqa: S608
            if not found:
                insert = (
                    "INSERT INTO model (manufacturer, model, sw_version) VALUES (?, ?, ?) RETURNING number"
                )
                found = read_rows(connection, insert, model)
            if len(self._models) >= _MODELS_KEPT:
                self._models.clear()
            number = self._models[model] = found[0][0]
        return number


class _Work:
    """One transaction: writes rows at once, and counts at its end."""

    def __init__(self, connection: apsw.Connection, writer: ViewWriter) -> None:
        self._connection = connection
        self._writer = writer
        self._counts: defaultdict[tuple[int, int], int] = defaultdict(int)  # by home and model
        self._words: Counter[str] = Counter()
        self.left_out: Counter[Oddity] = Counter()

    def device(self, said: DeviceSaid) -> None:
        """Write a device's row."""
        site = self._writer.site(self._connection, said.site)
        if site is None:
            self.left_out[Oddity.UNREADABLE] += 1
            return
        first, last = numbers_of_device(site, said.id)
        rows = read_rows(
            self._connection,
            "SELECT number, id, name, model, model_id, hw_version, serial FROM device WHERE number BETWEEN ? AND ?",
            (first, last),
        )
        row = next((row for row in rows if row[1] == said.id), None)
        if row is not None:
            self._forget(site, row)
        if said.facts is None:
            return
        taken = {other[0] for other in rows if other is not row}
        number = next((number for number in range(first, last + 1) if number not in taken), None)
        if number is None:
            self.left_out[Oddity.UNREADABLE] += 1
        else:
            self._insert(site, number, said.id, said.facts)

    def finish(self) -> None:
        """Write the counts."""
        for (site, model), more in self._counts.items():
            if more:
                self._count(site, model, more)
        changed = [(word, more) for word, more in self._words.items() if more]
        self._connection.executemany(
            "INSERT INTO word VALUES (?, ?) ON CONFLICT DO UPDATE SET devices = devices + excluded.devices",
            changed,
        )
        gone = [(word,) for word, more in changed if more < 0]
        self._connection.executemany("DELETE FROM word WHERE word = ? AND devices <= 0", gone)

    def _insert(self, site: int, number: int, id_: str, facts: DeviceFacts) -> None:
        kind = (facts.manufacturer, facts.model, facts.sw_version)
        model = self._writer.model(self._connection, kind)
        self._connection.execute(
            "INSERT INTO device VALUES (?, ?, ?, ?, ?, ?, ?)",
            (number, id_, facts.name, model, facts.model_id, facts.hw_version, facts.serial),
        )
        words = words_of((facts.name, *kind, facts.model_id, facts.serial))
        self._connection.execute(
            "INSERT INTO search (rowid, words) VALUES (?, ?)", (number, _text(words, model))
        )
        self._words.update(words)
        self._counts[site, model] += 1

    def _forget(self, site: int, row: tuple[Any, ...]) -> None:
        number, _, name, model, model_id, _, serial = row
        kind = read_rows(
            self._connection, "SELECT manufacturer, model, sw_version FROM model WHERE number = ?", (model,)
        )[0]
        self._connection.execute("DELETE FROM device WHERE number = ?", (number,))
        words = words_of((name, *kind, model_id, serial))
        # The index does not store texts, so a deletion has to supply them.
        self._connection.execute(
            "INSERT INTO search (search, rowid, words) VALUES ('delete', ?, ?)", (number, _text(words, model))
        )
        self._words.subtract(words)
        self._counts[site, model] -= 1

    def _count(self, site: int, model: int, more: int) -> None:
        place = (site, model)
        rows = read_rows(
            self._connection, "SELECT devices FROM model_site WHERE site = ? AND model = ?", place
        )
        before = rows[0][0] if rows else 0
        now = before + more
        if now:
            self._connection.execute(
                "INSERT INTO model_site VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET devices = excluded.devices",
                (*place, now),
            )
        else:
            self._connection.execute("DELETE FROM model_site WHERE site = ? AND model = ?", place)
        self._connection.execute(
            "UPDATE model SET devices = devices + ?, sites = sites + ? WHERE number = ?",
            (more, (now > 0) - (before > 0), model),
        )


def _columns(said: SiteStatus) -> tuple[object, ...]:
    return (
        _encode(said),
        said.ts_ms,
        said.stage,
        str(said.status),
        said.drift_records,
        said.connected,
        "".join(f" {tag} " for tag in said.tags),
        "\n".join((said.site, said.label, said.source or "")).casefold(),
    )


def model_word(number: int) -> str:
    """The word that finds the devices of a model; no word of a text contains this character."""
    return f"§{number}"


def _text(words: Iterable[str], model: int) -> str:
    return " ".join((*words, model_word(model)))


def positions_in(connection: apsw.Connection) -> dict[Place, int]:
    """The next offset to read of each partition."""
    rows = read_rows(connection, 'SELECT topic, "partition", next FROM position')
    return {(topic, partition): offset for topic, partition, offset in rows}


def counts_in(connection: apsw.Connection) -> Mapping[str, float]:
    """By name: the counts, the time of the file's creation, and the time up to which it had everything."""
    names: Iterable[str] = ("as_of", "begun_at", *Oddity)
    rows = dict(read_rows(connection, "SELECT name, value FROM meta"))
    return {name: rows[name] for name in names if name in rows}


def _add(connection: apsw.Connection, name: str, count: int) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value",
        (name, count),
    )
