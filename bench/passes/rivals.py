"""What one would use instead to keep a SQLite mirror: four ways, each given rows that are already plain dicts.

They keep the rows and nothing else: no history, no change feed, no guard before a delete, no reading back. All
write to a file with the journal mode and synchronous setting that SQLite has by default for them.
"""

import contextlib
import importlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.registries import Home
from engine.sources.answers.command_results import LISTS

Rows = Mapping[str, Sequence[dict[str, Any]]]
# The third-party libraries are in a group of their own and untyped here, so they are looked up by name.
Rival = Callable[[Path], Callable[[Rows], None]]

_KEYS = {"entity": "id", "device": "id", "area": "area_id", "floor": "floor_id", "label": "label_id"}
_KEYS |= {"config_entry": "entry_id"}
_DECODE = msgspec.json.Decoder(list[dict[str, Any]]).decode


def rows_of(home: Home) -> Rows:
    """The home's rows by registry, lists and objects as JSON text, as a column holds them."""
    rows = {registry: _DECODE(home.answers[command]) for registry, command in LISTS.items()}
    rows["entity"] = _DECODE(b"[%b]" % b",".join(home.extended.values()))
    return {registry: [_flat(row) for row in listed] for registry, listed in rows.items()}


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    for name, value in row.items():
        if isinstance(value, list | dict):
            row[name] = msgspec.json.encode(value).decode()
    return row


def sqlalchemy_delete_and_insert(file: Path) -> Callable[[Rows], None]:
    """Empty the tables and add every row again, through the ORM."""
    sqlalchemy = importlib.import_module("sqlalchemy")

    def replace(session: Any, _registry: str, model: Any, rows: Sequence[dict[str, Any]]) -> None:
        session.execute(sqlalchemy.delete(model))
        session.add_all([model(**row) for row in rows])

    return _through_orm(file, replace)


def sqlalchemy_merge(file: Path) -> Callable[[Rows], None]:
    """Merge row by row, then delete what is not listed."""
    sqlalchemy = importlib.import_module("sqlalchemy")

    def merge(session: Any, registry: str, model: Any, rows: Sequence[dict[str, Any]]) -> None:
        key = _KEYS[registry]
        for row in rows:
            session.merge(model(**row))
        wanted = {row[key] for row in rows}
        for gone in set(session.scalars(sqlalchemy.select(getattr(model, key)))) - wanted:
            session.execute(sqlalchemy.delete(model).where(getattr(model, key) == gone))

    return _through_orm(file, merge)


def _through_orm(
    file: Path, write: Callable[[Any, str, Any, Sequence[dict[str, Any]]], None]
) -> Callable[[Rows], None]:
    """One session and one commit over all tables; `write` is given session, registry, model and rows of each."""
    orm = importlib.import_module("sqlalchemy.orm")
    engine = importlib.import_module("sqlalchemy").create_engine(f"sqlite:///{file}")
    models: dict[str, Any] = {}

    def update(rows: Rows) -> None:
        models.update(models or _models(engine, rows))
        with orm.Session(engine) as session:
            for registry, model in models.items():
                write(session, registry, model, rows[registry])
            session.commit()

    return update


def sqlite_utils_upsert(file: Path) -> Callable[[Rows], None]:
    """Upsert everything, then delete what is not listed."""
    database = importlib.import_module("sqlite_utils").Database(file)

    def update(rows: Rows) -> None:
        for registry, listed in rows.items():
            key = _KEYS[registry]
            table = database[registry]
            table.upsert_all(listed, pk=key)
            wanted = json.dumps([row[key] for row in listed])
            table.delete_where(f"{key} NOT IN (SELECT value FROM json_each(?))", [wanted])  # noqa: S608 (our name)

    return update


def dlt_merge(file: Path) -> Callable[[Rows], None]:
    """A pipeline's merge by key; what is not listed any more is marked as deleted for it."""
    work = tempfile.mkdtemp(dir=file.parent)
    os.environ |= {
        "DLT_DATA_DIR": work,
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "CRITICAL",
    }
    dlt = importlib.import_module("dlt")
    destination = dlt.destinations.sqlalchemy(f"sqlite:///{file}")
    pipeline = dlt.pipeline("mirror", destination=destination, dataset_name="home", pipelines_dir=work)
    known: dict[str, set[str]] = {}

    def update(rows: Rows) -> None:
        resources = []
        for registry, listed in rows.items():
            key = _KEYS[registry]
            wanted = {row[key] for row in listed}
            gone = [{key: id_, "is_gone": True} for id_ in known.get(registry, set()) - wanted]
            known[registry] = wanted
            columns = {"is_gone": {"hard_delete": True, "data_type": "bool"}}
            resources.append(
                dlt.resource(
                    [*listed, *gone],
                    name=registry,
                    primary_key=key,
                    write_disposition="merge",
                    columns=columns,
                )
            )
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            pipeline.run(resources)

    return update


def _models(engine: Any, rows: Rows) -> dict[str, Any]:
    orm, sqlalchemy = importlib.import_module("sqlalchemy.orm"), importlib.import_module("sqlalchemy")
    base = orm.declarative_base()
    models = {}
    for registry, listed in rows.items():
        columns = {
            name: sqlalchemy.Column(sqlalchemy.String, primary_key=name == _KEYS[registry])
            for name in listed[0]
        }
        for name, value in listed[0].items():
            if isinstance(value, bool | float | int):
                columns[name].type = sqlalchemy.Float() if isinstance(value, float) else sqlalchemy.Integer()
        models[registry] = type(registry.title(), (base,), {"__tablename__": registry, **columns})
    base.metadata.create_all(engine)
    return models


RIVALS: dict[str, Rival] = {
    "SQLAlchemy, delete and insert": sqlalchemy_delete_and_insert,
    "SQLAlchemy, merge per row": sqlalchemy_merge,
    "sqlite-utils, upsert and delete": sqlite_utils_upsert,
    "dlt, merge": dlt_merge,
}
# Half a minute for 20,000 entities; measured only on request.
SLOW = frozenset({"dlt, merge"})
