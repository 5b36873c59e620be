"""SQL statements: which ran, which tables each reads whole, and which of those in the modules never ran."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

# A handful of rows each. The id of a category is made of two columns, so no index finds it.
SMALL_TABLES = {"categories", "reconcile_meta", "meta"}
_FOUND_BY_WORD = re.compile(r"VIRTUAL TABLE INDEX \d+:M")

_SQL = re.compile(
    r"\b(SELECT .+ FROM|SELECT \w+\.?\w*,|INSERT |UPDATE \w+ SET|DELETE FROM|FROM \w+|WHERE \w+ (IN|=))",
    re.DOTALL,
)
_PIECE_MIN = 12  # characters: shorter ones are in every statement


@contextmanager
def statements_of_this_process() -> Iterator[Counter[tuple[str, str]]]:
    """How often each statement ran, by file and statement, on every connection that is opened meanwhile."""
    ran: Counter[tuple[str, str]] = Counter()

    def follow(connection: apsw.Connection) -> None:
        def trace(source: apsw.Cursor | apsw.Connection, statement: str, _bindings: object) -> bool:
            where = source.connection if isinstance(source, apsw.Cursor) else source
            ran[where.filename, statement] += 1
            return True

        connection.exec_trace = trace

    apsw.connection_hooks.append(follow)
    try:
        yield ran
    finally:
        apsw.connection_hooks.remove(follow)


def scans(connection: apsw.Connection, statement: str) -> tuple[list[str], list[str]]:
    """The tables of the file that a statement reads whole: in all, and for each row of something else."""
    tables = {
        name for (name,) in connection.execute("SELECT lower(name) FROM sqlite_schema WHERE type = 'table'")
    }
    tables -= SMALL_TABLES
    try:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
    except apsw.BindingsError:
        named = re.findall(r"[(\s]:(\w+)", statement)
        numbered = {int(number) for number in re.findall(r"\?(\d)", statement)}
        places = max(numbered) if numbered else statement.count("?")
        bindings = dict.fromkeys(named) if named else [None] * places
        plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", bindings).fetchall()
    details = {id_: str(detail) for id_, _, _, detail in plan}
    parents = {id_: parent for id_, parent, _, _ in plan}
    # By the level of the plan: what is behind another is its inner loop.
    loops: Counter[object] = Counter()
    whole: list[str] = []
    repeated: list[str] = []
    for id_, parent, _, detail in plan:
        word, _, rest = str(detail).partition(" ")
        if word not in ("SCAN", "SEARCH"):
            continue
        outer, loops[parent] = loops[parent], loops[parent] + 1
        # An index that SQLite makes for one statement costs a look at the whole table.
        # What full text search finds by a word, it calls a scan.
        is_whole = (word == "SCAN" and not _FOUND_BY_WORD.search(rest)) or "AUTOMATIC" in rest
        if is_whole and any(name.lower() in tables for name in _named(rest, statement)):
            whole.append(rest)
            if (outer and word == "SCAN") or _is_correlated(id_, parents, details):
                repeated.append(rest)
    return whole, repeated


def _named(rest: str, statement: str) -> list[str]:
    """The table that a line of a plan names, perhaps by an alias of one letter or word."""
    name = rest.split(maxsplit=1)[0]
    words = statement.replace("(", " ").replace(")", " ").split()
    return [
        name,
        *(
            before
            for before, as_, alias in zip(words, words[1:], words[2:], strict=False)
            if (as_, alias) == ("AS", name)
        ),
    ]


def _is_correlated(id_: object, parents: dict[object, object], details: dict[object, str]) -> bool:
    while id_ in parents:
        id_ = parents[id_]
        if "CORRELATED" in details.get(id_, ""):
            return True
    return False


def never_ran(folders: Iterable[Path], statements: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(file and line, text) of each piece of SQL in the modules that is in none of these statements."""
    ran = "\n".join(map(_in_one_line, statements))
    for path in sorted(path for folder in folders for path in folder.rglob("*.py")):
        for line, text in _texts(path):
            if _SQL.search(text) and any(piece not in ran for piece in _pieces(text)):
                yield f"{path.parent.name}/{path.name}:{line}", _in_one_line(text)


def _texts(path: Path) -> Iterator[tuple[int, str]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    # Docstrings are sentences, and so is what stands by itself.
    sentences = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "{}".join(str(p.value) for p in node.values if isinstance(p, ast.Constant))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and not {id(node)} & (sentences | inside)
        ):
            yield node.lineno, node.value


def _pieces(text: str) -> list[str]:
    pieces = (piece.strip() for piece in re.split(r"\{[^}]*\}", _in_one_line(text)))
    return [piece for piece in pieces if len(piece) >= _PIECE_MIN]


def _in_one_line(text: str) -> str:
    return " ".join(text.split())
