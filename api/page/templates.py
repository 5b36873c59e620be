"""The templates: Jinja2 with escaping, so that a name is always shown as text.

The first request for a page loads Jinja2 and compiles all templates: 5 MiB and 0.1 s of processor time, which a
service without page requests saves. Their text is read at startup, so that it belongs to the running version.
"""

import base64
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import anyio.to_thread
import msgspec

from api.page.wording import age_text, count_text
from engine.core.times import rfc3339

if TYPE_CHECKING:
    from jinja2 import Environment

FOLDER = Path(__file__).parent
STATIC = {
    path.name: path.read_bytes() for path in sorted((FOLDER / "static").iterdir()) if path.suffix != ".py"
}
_SOURCES = {
    path.name: path.read_text(encoding="utf-8") for path in sorted((FOLDER / "templates").glob("*.html"))
}
MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def render(template: str, values: dict[str, object]) -> bytes:
    """The page rendered from a template and values. A lone surrogate, which JSON may contain, becomes a ?."""
    return _environment().get_template(template).render(values).encode("utf-8", "replace")


async def load_templates() -> None:
    """Compile all templates, once and in a thread: call it before `render`, so that no other request waits for it."""
    if not _compiled.cache_info().currsize:
        await anyio.to_thread.run_sync(_compiled)


@cache
def _compiled() -> None:
    for name in _SOURCES:
        _environment().get_template(name)


def digest(content: bytes) -> str:
    """A short text that changes with the content."""
    return base64.urlsafe_b64encode(blake2b(content, digest_size=6).digest()).decode()


@cache
def _environment() -> "Environment":
    from jinja2 import DictLoader, Environment, StrictUndefined

    environment = Environment(
        loader=DictLoader(_SOURCES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    digests = {name: digest(content) for name, content in STATIC.items()}
    environment.globals |= {"link": link, "static": lambda name: link(f"static/{name}", v=digests[name])}
    environment.filters |= {"rfc3339": rfc3339, "age": age_text, "count": count_text, "clock": _clock}
    environment.filters |= {"example": _example, "pretty": _pretty, "address": _address, "takes": _takes}
    return environment


def link(path: str, fragment: str = "", **parameters: object) -> str:
    """A relative address; parameters without a value are omitted."""
    given = [(name, value) for name, value in parameters.items() if value not in (None, "", False)]
    query = f"?{urlencode(given, errors='replace')}" if given else ""
    return f"{path}{query}{'#' if fragment else ''}{fragment}"


def _example(value: object) -> str:
    """A parameter's example, as written in an address."""
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _takes(schema: dict[str, Any]) -> str:
    """A parameter's type, in words."""
    if "enum" in schema:
        text = f"one of {', '.join(map(str, schema['enum']))}"
    else:
        text = {"string": "text", "array": "may be given several times"}.get(schema["type"], schema["type"])
    if "minimum" in schema:
        text += f" from {schema['minimum']:,} to {schema['maximum']:,}"
    return f"{text}, {schema['default']} if absent" if schema.get("default") not in (None, "", []) else text


def _pretty(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode()


def _address(operation: dict[str, Any], path: str) -> str:
    """The path of an operation, with examples for its parameters."""
    for parameter in operation["parameters"]:
        path = path.replace(f"{{{parameter['name']}}}", str(parameter["example"]))
    return path


def _clock(at: float) -> str:
    return rfc3339(at)[:19].replace("T", " ") + " UTC"
