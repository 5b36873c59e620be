"""Docstrings say what a caller has to know: which errors a public function raises."""

import ast
import builtins
import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_tidy import ROOT, SOURCES, relative, tree


@pytest.mark.slow
def test_public_functions_document_the_errors_they_raise() -> None:
    """Each error that a public function raises itself, or one of its bases, is in its docstring or its class's."""
    assert [f"{relative(path)}:{missing}" for path in SOURCES for missing in _unsaid(path)] == []


def _unsaid(path: Path) -> Iterator[str]:
    """The errors that a module's public functions raise and do not name."""
    if not any(isinstance(node, ast.Raise) for node in ast.walk(tree(path))):
        return
    module = importlib.import_module(".".join(path.relative_to(ROOT).with_suffix("").parts))
    classes = [n for n in ast.walk(tree(path)) if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
    owners: list[ast.Module | ast.ClassDef] = [tree(path), *classes]
    for owner in owners:
        said_of_class = ast.get_docstring(owner) if isinstance(owner, ast.ClassDef) else ""
        for node in owner.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or _is_private(node):
                continue
            said = f"{ast.get_docstring(node)} {said_of_class}"
            yield from (
                f"{node.name}: {name}" for name in _raised(node) if not _names_error(said, name, module)
            )


def _is_private(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    # A route's statuses say what it answers, and its docstring is published.
    is_route = any(ast.unparse(decorator).startswith("route(") for decorator in node.decorator_list)
    return is_route or (node.name.startswith("_") and node.name != "__init__")


def _raised(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    """The errors that the function's own code makes and raises, by name; what it also handles is its own affair."""
    inner = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
    waiting, handled, raised = list(ast.iter_child_nodes(function)), "", set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, inner):
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ExceptHandler) and node.type:
            handled += f" {ast.unparse(node.type)} "
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            raised.add(ast.unparse(node.exc.func))
    for name in sorted(raised):
        word = name.rpartition(".")[2]
        if word[0].isupper() and word != "AssertionError" and not re.search(rf"\b{word}\b", handled):
            yield name


def _names_error(said: str, name: str, module: ModuleType) -> bool:
    found: object = module
    for part in name.split("."):
        found = getattr(found, part, None) or getattr(builtins, part, None)
    bases = found.__mro__ if isinstance(found, type) else ()
    words = {name.rpartition(".")[2], *(base.__name__ for base in bases if base is not object)}
    return any(re.search(rf"\b{word}\b", said) for word in words)
