"""Queries on the view's file, each in one read transaction on a read-only connection."""

# ruff: noqa: S608 (names in statements are our own; values are bound)

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import apsw
from msgspec import UNSET, UnsetType

from api.fleet.bodies import FleetDevice, FleetModel, ViewedSite
from api.fleet.queries import ViewedDevicesQuery, ViewedModelsQuery, ViewedSitesQuery
from engine.errors import ReplicaUnavailable
from engine.fleet_view.messages import Oddity
from engine.fleet_view.view_file.device_search import DeviceRow, Question, find_devices
from engine.fleet_view.view_file.numbers import first_choice, numbers_of_device, site_of
from engine.fleet_view.view_file.schema import REPLICA, identity_in, read_rows
from engine.fleet_view.view_file.site_reading import (
    count_sites,
    read_named_sites,
    read_sites,
    read_tags,
    site_numbers,
)
from engine.fleet_view.view_file.words import words_of
from engine.fleet_view.view_file.writing import counts_in
from engine.replicas.sqlite_file.database import ApswFile, FileAccess

_CACHE_KIB = 32_768
# What a list shows of a model. The word for no value also stands for devices that have it as their value.
_SHOWN = {
    "manufacturer": "coalesce(nullif(manufacturer, ''), 'Unknown')",
    "model": "coalesce(nullif(model, ''), 'Unknown')",
    "sw_version": "coalesce(nullif(sw_version, ''), '-')",
}
# The filters, and what they find together: one model, in the spelling of most devices.
_FILTERS = {column: f"{_SHOWN[column]} = ? COLLATE NOCASE" for column in ("manufacturer", "model")}
_FILTERS["sw_version"] = f"{_SHOWN['sw_version']} = ?"
_SAME_MODEL = f"lower({_SHOWN['manufacturer']}), lower({_SHOWN['model']}), {_SHOWN['sw_version']}"
# Once for all models of an answer, however many spellings they have. Without the cast, no index of `spelling` would be used.
_HOMES_OF_SPELLINGS = (
    "WITH spelling (place, model) AS MATERIALIZED (SELECT g.key, CAST(m.value AS INTEGER)"
    " FROM json_each(?) AS g, json_each(g.value) AS m)"
    " SELECT place, count(DISTINCT site) FROM model_site CROSS JOIN spelling USING (model)"
)
_MODELS_OF_SITES = (
    "(SELECT m.number, m.manufacturer, m.model, m.sw_version, c.devices, c.sites FROM (SELECT s.model AS number,"
    " sum(s.devices) AS devices, count(*) AS sites FROM json_each(?) AS j JOIN model_site AS s ON s.site = j.value"
    " GROUP BY s.model) AS c JOIN model AS m USING (number))"
)


class ViewReader:
    """Reads the view's file at `path`. One thread at a time."""

    def __init__(self, path: str | Path) -> None:
        self._file = ApswFile(REPLICA, path, FileAccess.READ, busy_timeout_seconds=1.0, cache_kib=_CACHE_KIB)

    @contextmanager
    def transaction(self) -> Iterator["FileTransaction"]:
        """A read transaction. Raises ReplicaError, also for a file that is still empty."""
        with self._file.reading() as connection:
            if identity_in(connection) is None:
                raise ReplicaUnavailable(
                    REPLICA,
                    "Nothing was read from Kafka yet.",
                    "Wait: the view reads it without further action.",
                )
            yield FileTransaction(connection)

    def close(self) -> None:
        """Close the file; it is opened again when needed."""
        self._file.close()


class FileTransaction:
    """See `ViewTransaction`."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def devices(self, query: ViewedDevicesQuery) -> tuple[list[FleetDevice], str | None]:
        """See `ViewTransaction`."""
        words = words_of((query.q,))
        if query.q.strip() and not words:
            return [], None
        question = Question(
            words=words,
            models=self._models_of(query),
            sites=self._sites_of(query.site, query.tag),
            after=self._number_of(query.after),
            limit=query.limit,
        )
        found = find_devices(self._connection, question, self._count_sites())
        last = found.stopped_at
        names = self._site_names(found.rows if last is None else [*found.rows, last])
        devices = [_device(names[site_of(row.number)], row) for row in found.rows]
        return devices, None if last is None else f"{names[site_of(last.number)]}/{last.id}"

    def models(self, query: ViewedModelsQuery) -> tuple[list[FleetModel], int]:
        """See `ViewTransaction`."""
        source, listed = "(SELECT * FROM model WHERE devices > 0)", None
        if query.tag is not UNSET:
            listed = f"[{','.join(map(str, self._sites_of(UNSET, query.tag) or ()))}]"
            source = _MODELS_OF_SITES
        bound = () if listed is None else (listed,)
        rows = self._rows(
            "SELECT manufacturer, model, sw_version, sum(devices) AS total, sum(sites), max(devices), json_group_array(number),"
            f" count(*) OVER () FROM {source} GROUP BY {_SAME_MODEL}"
            " ORDER BY total DESC, manufacturer, model, sw_version LIMIT ?",
            (*bound, query.limit),
        )
        homes = self._count_homes([numbers for *_, numbers, _ in rows if "," in numbers], listed)
        models = [
            FleetModel(maker or None, model or None, version or None, devices, homes.get(numbers, sites))
            for maker, model, version, devices, sites, _, numbers, _ in rows
        ]
        return models, rows[0][-1] if rows else 0

    def _count_homes(self, spellings: Sequence[str], listed: str | None) -> dict[str, int]:
        """The number of homes with any spelling of a model, by the numbers of its spellings."""
        if not spellings:
            return {}
        among = "" if listed is None else " WHERE site IN (SELECT value FROM json_each(?))"
        bound = (f"[{','.join(spellings)}]", *(() if listed is None else (listed,)))
        rows = self._rows(f"{_HOMES_OF_SPELLINGS}{among} GROUP BY place", bound)
        return {spellings[place]: homes for place, homes in rows}

    def sites(
        self, query: ViewedSitesQuery, now: float, *, worst_first: bool = False, offset: int = 0
    ) -> list[ViewedSite]:
        """See `ViewTransaction`."""
        return read_sites(self._connection, query, now, worst_first=worst_first, offset=offset)

    def named_sites(self, names: Collection[str], now: float) -> list[ViewedSite]:
        """See `ViewTransaction`."""
        return read_named_sites(self._connection, names, now)

    def counts(self, query: ViewedSitesQuery, now: float) -> dict[str, int]:
        """See `ViewTransaction`."""
        return count_sites(self._connection, query, now)

    def tags(self) -> list[str]:
        """See `ViewTransaction`."""
        return read_tags(self._connection)

    def count_devices(self) -> int:
        """The number of devices in all homes."""
        return int(self._rows("SELECT coalesce(sum(devices), 0) FROM model", ())[0][0])

    def oddities(self) -> dict[str, int]:
        """The number of messages that are not in the view, by reason."""
        counts = counts_in(self._connection)
        return {str(oddity): int(counts.get(oddity, 0)) for oddity in Oddity}

    def _models_of(self, query: ViewedDevicesQuery) -> frozenset[int] | None:
        """The models that match the filters; None: all."""
        asked = {column: getattr(query, column) for column in _FILTERS}
        values = {column: value for column, value in asked.items() if value is not UNSET}
        conditions = [_FILTERS[column] for column in values]
        if not conditions:
            return None
        rows = self._rows(f"SELECT number FROM model WHERE {' AND '.join(conditions)}", [*values.values()])
        return frozenset(number for (number,) in rows)

    def _sites_of(self, site: str | UnsetType, tag: str | UnsetType) -> frozenset[int] | None:
        """The homes that match the filters; None: all."""
        if site is UNSET and tag is UNSET:
            return None
        return site_numbers(self._connection, None if site is UNSET else site, None if tag is UNSET else tag)

    def _number_of(self, after: str) -> int:
        """The number after which a page begins."""
        name, slash, id_ = after.partition("/")
        if not slash:
            return -1
        rows = self._rows("SELECT number FROM site WHERE name = ?", (name,))
        first, last = numbers_of_device(rows[0][0] if rows else first_choice(name), id_)
        found = self._rows(
            "SELECT number FROM device WHERE number BETWEEN ? AND ? AND id = ?", (first, last, id_)
        )
        return int(found[0][0]) if found else last

    def _count_sites(self) -> int:
        return int(self._rows("SELECT count(*) FROM site", ())[0][0])

    def _site_names(self, devices: Iterable[DeviceRow]) -> dict[int, str]:
        numbers = sorted({site_of(row.number) for row in devices})
        return dict(
            self._rows(
                "SELECT number, name FROM site WHERE number IN (SELECT value FROM json_each(?))",
                (f"[{','.join(map(str, numbers))}]",),
            )
        )

    def _rows(self, statement: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        return read_rows(self._connection, statement, values)


def _device(site: str, row: DeviceRow) -> FleetDevice:
    return FleetDevice(
        site,
        row.id,
        row.name or None,
        row.manufacturer or None,
        row.model or None,
        row.sw_version or None,
        row.hw_version or None,
    )
