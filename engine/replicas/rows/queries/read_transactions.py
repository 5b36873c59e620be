"""The rows file for readers: pages, single rows, the change feed and runs, each from one moment of the file.

A job (`rows_reader`) gets a `RowsTransaction`, does all its reading and building in one step, and sees only
one revision. Values are accepted as they are, whichever program wrote them: invalid UTF-8 is replaced, a number in a
text column is returned as text, missing columns and tables are empty.
"""

# ruff: noqa: S608 (names in statements are our own tables and columns; values are bound)

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import apsw
import msgspec

from engine.core.state.fate import Former
from engine.replicas.rows.column_types import patched_rows, whole_number
from engine.replicas.rows.columns import TABLES, Value
from engine.replicas.rows.queries.conditions import FILTERS, KEYS, facet_sources, most_frequent
from engine.replicas.rows.queries.former_names import find_former
from engine.replicas.rows.queries.revision_cache import (
    ASKED_MAX,
    COUNTS_MAX,
    ORDERS_MAX,
    RevisionCache,
    remember,
)
from engine.replicas.rows.queries.search_texts import read_texts, with_all
from engine.replicas.rows.queries.spelled_keys import spelled_key

Row = tuple[Any, ...]
Filter = tuple[str, str | bool]


def _text(column: str) -> str:
    return f"coalesce(CAST({column} AS TEXT), '')"


def _object(column: str) -> str:
    return f"CASE WHEN typeof({column}) = 'text' AND json_valid({column}) THEN {column} END"


def _time(column: str) -> str:
    # A time outside the calendar becomes 1970: the answer must be a time.
    return f"CASE WHEN typeof({column}) IN ('real', 'integer') AND {column} BETWEEN 0 AND 2e11 THEN {column} ELSE 0.0 END"


_CHANGES = (
    f"SELECT c.seq, {_text('c.op')}, {_text('c.registry')}, {_text('c.id')}, {_object('c.before')},"
    f" {_object('c.after')}, {_time('c.changed_at')}, {_text('c.cause')}, {_text('c.run_id')},"
    " CAST(r.ha_version AS TEXT)"
    " FROM reconcile_changes AS c LEFT JOIN reconcile_runs AS r USING (run_id)"
    " WHERE c.seq > ? AND c.seq <= ? AND (? IS NULL OR c.registry = ?) ORDER BY c.seq LIMIT ?"
)
_COUNTS = (
    f"SELECT CAST({_time('changed_at')} / ? AS INTEGER), count(*) FROM reconcile_changes"
    f" WHERE seq > ? AND {_time('changed_at')} >= ? GROUP BY 1 ORDER BY 1"
)
_RUNS = (
    f"SELECT {_text('run_id')}, {_time('started_at')}, {_text('origin')}, CAST(ha_version AS TEXT),"
    " coalesce(CAST(upserts AS INTEGER), 0), coalesce(CAST(moves AS INTEGER), 0), coalesce(CAST(deletes AS INTEGER), 0)"
    " FROM reconcile_runs"
)
_SEQ_MAX = 2**63 - 1


class RowsTransaction:
    """The rows file at one moment. Valid only inside its job, in that job's thread."""

    def __init__(self, connection: apsw.Connection, revision: int, known: RevisionCache) -> None:
        self._connection = connection
        self._known = known
        self.revision = revision

    def page(
        self, registry: str, columns: Sequence[str], filters: Sequence[Filter], after: str, limit: int
    ) -> list[Row]:
        """At most `limit` rows after the key `after` ('' for the first), by key; all filters must hold.

        A row is its key followed by the values of the named columns. Rows with a key that is not text are omitted.
        """
        key = KEYS[registry]
        # In SQLite numbers sort before text and bytes after it, so this range contains exactly the texts.
        where, bindings = self._conditions(registry, filters, f"{key} > ? AND {key} < x''")
        return self._read(registry, columns, f"{where} ORDER BY {key} LIMIT ?", (after, *bindings, limit))

    def count(self, registry: str, filters: Sequence[Filter]) -> int:
        """The total number of rows that `page` returns."""
        asked = (registry, *filters)
        count = self._known.counts.get(asked)
        if count is None:
            key = KEYS[registry]
            where, bindings = self._conditions(registry, filters, f"{key} > '' AND {key} < x''")
            statement = f"SELECT count(*) FROM {self._source(registry)} WHERE {where}"
            count = int(self._rows(statement, bindings)[0][0])
            if sum(len(str(value)) for _, value in filters) <= ASKED_MAX:
                remember(self._known.counts, asked, count, COUNTS_MAX)
        return count

    def keys(self, registry: str, filters: Sequence[Filter], sort: str | None = None) -> list[str]:
        """The keys of all rows that `page` returns, by the column `sort` or by key.

        A - before the column reverses the order. The order always ignores case, and rows without a value are last.
        """
        keys = None if filters else self._known.keys.get((registry, sort))
        if keys is None:
            key, order = KEYS[registry], KEYS[registry]
            if sort:
                column = sort.removeprefix("-")
                assert column in TABLES[registry].sql_names, "callers only sort by existing columns"
                down = " DESC" * sort.startswith("-")
                order = f"coalesce({column}, '') = '', {column} COLLATE NOCASE{down}, {key}"
            where, bindings = self._conditions(registry, filters, f"+{key} > '' AND +{key} < x''")
            found = self._read(registry, (), f"{where} ORDER BY {order}", bindings)
            keys = [row[0] for row in found]
            if not filters:
                remember(self._known.keys, (registry, sort), keys, ORDERS_MAX)
        return keys

    def facets(
        self, registry: str, names: Sequence[str], filters: Sequence[Filter]
    ) -> dict[str, list[tuple[str, int]]]:
        """(value, number of rows) by facet, the most frequent first; all filters must hold."""
        kept = self._known.facets if not filters else {}
        asked = [name for name in names if (registry, name) not in kept]
        for name, counts in self._counted(registry, asked, filters).items():
            kept[registry, name] = counts
        return {name: kept[registry, name] for name in names}

    def _counted(
        self, registry: str, names: Sequence[str], filters: Sequence[Filter]
    ) -> dict[str, list[tuple[str, int]]]:
        key = KEYS[registry]
        # The + before the key makes SQLite read the rows in storage order, in half the time of using the index.
        where, bindings = self._conditions(registry, filters, f"+{key} > '' AND +{key} < x''")
        found: dict[str, list[tuple[str, int]]] = {}
        for joined, values in facet_sources(registry, names).items():
            columns = ", ".join(f"CAST({self._filled(value)} AS BLOB)" for value in values.values())
            rows = self._rows(
                f"SELECT {columns} FROM {self._source(registry)}{joined} WHERE {where}", bindings
            )
            counted = map(Counter, zip(*rows, strict=True)) if rows else ({} for _ in values)
            found |= {
                name: most_frequent(registry, name, counts)
                for name, counts in zip(values, counted, strict=True)
            }
        return found

    def texts(self, registry: str) -> Mapping[str, str]:
        """The searched text of each row, in lower case, by key: its names, ids and models. Read once in a revision."""
        known = self._known.texts
        if registry not in known:
            has_feed = self._has("reconcile_changes")
            known[registry] = read_texts(registry, self._source(registry), self._rows, has_feed=has_feed)
        return known[registry]

    def found(self, registry: str, words: Sequence[str]) -> list[str]:
        """The keys of the rows whose texts contain all of these lower-case words, sorted."""
        return with_all(self.texts(registry), words)

    def row(self, registry: str, columns: Sequence[str], id_: str) -> Row | None:
        """The row with the page key `id_`, in the form of `page`."""
        rows = self._read(registry, columns, f"{KEYS[registry]} = ?", (id_,))
        return rows[0] if rows else None

    def rows(self, registry: str, columns: Sequence[str], ids: Sequence[str]) -> list[Row]:
        """The existing rows with these registry ids, in the form of `page`, in any order."""
        key = "id" if registry == "entity" else KEYS[registry]
        # One statement for any number.
        wanted = msgspec.json.encode(list(ids)).decode()
        return self._read(registry, columns, f"{key} IN (SELECT value FROM json_each(?))", (wanted,))

    def keyed(self, registry: str, columns: Sequence[str], keys: Sequence[str]) -> list[Row]:
        """The rows with these keys, in the order of the keys; missing ones are omitted."""
        wanted = msgspec.json.encode(list(keys)).decode()
        condition = f"{KEYS[registry]} IN (SELECT value FROM json_each(?))"
        rows = {row[0]: row for row in self._read(registry, columns, condition, (wanted,))}
        return [rows[key] for key in keys if key in rows]

    def spelled(self, registry: str, asked: str) -> str:
        """The key of the one row whose key or registry id is `asked` in another case; else `asked`, without blanks around it."""
        read, keys = partial(self._read, registry, ()), partial(self.keys, registry, ())
        return spelled_key(registry, asked, read, keys)

    def former(self, registry: str, name: str) -> list[Former]:
        """The records that ever had this id or entity_id, as far as feed and tombstones reach."""
        return find_former(self._connection, name, registry)

    def feed_bounds(self) -> tuple[int, int]:
        """The oldest and newest sequence number of the change feed; (0, 0) while it is empty."""
        if not self._has("reconcile_changes"):
            return 0, 0
        oldest, newest = self._rows("SELECT min(seq), max(seq) FROM reconcile_changes", ())[0]
        return oldest or 0, newest or 0

    def changes(
        self, after: int, limit: int, registry: str | None = None, until: int = _SEQ_MAX
    ) -> list[Row]:
        """The feed after `after`, up to and including `until`, oldest first.

        (seq, op, registry, id, before JSON, after JSON, Unix seconds, cause, run id, Home Assistant's version)
        """
        if not self._has("reconcile_changes"):
            return []
        return self._rows(_CHANGES, (after, until, registry, registry, limit))

    def change_counts(self, after: int, since: float, seconds: int) -> list[tuple[int, int]]:
        """(Unix time // seconds, number of changes), of the feed after `after` and not older than `since`."""
        if not self._has("reconcile_changes"):
            return []
        return self._rows(_COUNTS, (seconds, after, since))

    def runs(self, before: str | None, limit: int) -> list[Row]:
        """Writing passes that were recorded before the run `before`, newest first.

        (run id, started at, origin, Home Assistant's version, upserts, moves, deletes)
        """
        if not self._has("reconcile_runs"):
            return []
        # In the order of writing: ids begin with a time, and the clock may have been wrong.
        where = "" if before is None else "WHERE rowid < (SELECT rowid FROM reconcile_runs WHERE run_id = ?)"
        bindings = () if before is None else (before,)
        return self._rows(f"{_RUNS} {where} ORDER BY rowid DESC LIMIT ?", (*bindings, limit))

    def run(self, run_id: str) -> Row | None:
        """One writing pass, in the form of `runs`."""
        if not self._has("reconcile_runs"):
            return None
        rows = self._rows(f"{_RUNS} WHERE run_id = ?", (run_id,))
        return rows[0] if rows else None

    def _has(self, table: str) -> bool:
        return bool(self._known.columns_of(self._connection, table))

    def _read(
        self, registry: str, columns: Sequence[str], condition: str, bindings: Sequence[Value]
    ) -> list[Row]:
        if not self._known.has_bad_text:
            try:
                return self._rows(f"{self._select(registry, columns)} WHERE {condition}", bindings)
            except UnicodeDecodeError:
                self._known.has_bad_text = True
                self._known.selects.clear()
        return patched_rows(self._rows(f"{self._select(registry, columns)} WHERE {condition}", bindings))

    def _select(self, registry: str, columns: Sequence[str]) -> str:
        asked = (registry, *columns)
        select = self._known.selects.get(asked)
        if select is None:
            types = {column.sql: column.type for column in TABLES[registry].columns}
            as_bytes = self._known.has_bad_text
            # Pages only read rows with text as key, and a plain column can use the index.
            key = f"CAST({KEYS[registry]} AS BLOB)" if as_bytes else KEYS[registry]
            names = ", ".join([key, *(_typed(name, types[name], as_bytes=as_bytes) for name in columns)])
            select = self._known.selects[asked] = f"SELECT {names} FROM {self._source(registry)}"
        return select

    def _source(self, registry: str) -> str:
        """The table, with missing columns as NULL, such as another program's table before our first write."""
        table = TABLES[registry]
        present = {name.lower() for name in self._known.columns_of(self._connection, table.name)}
        if present.issuperset(table.sql_names):
            return table.name
        columns = ", ".join(name if name in present else f"NULL AS {name}" for name in table.sql_names)
        origin = table.name if present else "(SELECT 1 WHERE 0)"
        return f"(SELECT {columns} FROM {origin}) AS {table.name}"

    def _conditions(
        self, registry: str, filters: Sequence[Filter], first: str
    ) -> tuple[str, tuple[str | bool, ...]]:
        conditions, bindings = [first], []
        for name, value in filters:
            condition = FILTERS[registry, name]
            bindings += [value] * condition.count("?")
            conditions.append(self._filled(condition))
        return " AND ".join(conditions), tuple(bindings)

    def _filled(self, text: str) -> str:
        """A condition with its table names filled in."""
        for registry, table in TABLES.items():
            if f"{{{registry}}}" in text:
                text = text.replace(
                    f"{{{registry}}}", self._source(registry).removesuffix(f" AS {table.name}")
                )
        return text

    def _rows(self, statement: str, bindings: Sequence[Value]) -> list[Row]:
        return self._connection.execute(statement, bindings).fetchall()


def _typed(column: str, type_: str, *, as_bytes: bool) -> str:
    """A column as a value of its declared type; other types become text, or NULL in columns of numbers."""
    if type_ in ("BOOLEAN", "INTEGER"):
        value = whole_number(column)
        return f"CASE typeof({value}) WHEN 'integer' THEN {value} END AS {column}"
    text = f"CAST({column} AS TEXT)"
    return f"CAST({text} AS BLOB) AS {column}" if as_bytes else f"{text} AS {column}"
