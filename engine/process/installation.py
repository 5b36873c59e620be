"""How this program was installed, and so how to add Kafka's client. Used only if the client is missing.

Each answer is a command that was tried in such an installation (2026-11-29).
"""

import platform
import shlex
import sys
from pathlib import Path

KAFKA_CLIENT = "confluent-kafka>=2.16,<2.17"  # as in pyproject.toml
_GLIBC_MIN = (2, 28)  # of its wheels; there are none for musl (PyPI, 2026-11-29)

_ENVIRONMENT = Path(sys.prefix).resolve()
_PROGRAM = Path(__file__).resolve().parents[2]


def how_to_add_kafka(
    environment: Path = _ENVIRONMENT,
    program: Path = _PROGRAM,
    libc: tuple[str, str] | None = None,
) -> str:
    """The next step, one sentence. `environment` is the running one, `program` the folder that contains `engine`."""
    if not _has_wheel(*(libc or platform.libc_ver())):
        return "Its wheels need glibc 2.28 or later: run the image of ops/Dockerfile, which has it."
    if environment == program / "venv" and (program / "run.py").exists():
        return "The Home Assistant app keeps no Kafka: run the image of ops/Dockerfile, which can."
    if environment == program / ".venv-run":
        return "Install it once with: HA_RECONCILE_EXTRA=kafka sh ops/run version"
    if (environment / "pipx_metadata.json").exists():
        return f"Install it with: pipx inject {shlex.quote(environment.name)} '{KAFKA_CLIENT}'"
    python = shlex.quote(str(environment / "bin/python3"))
    if any(environment.glob("lib/python3*/*-packages/pip")):
        return f"Install it with: {python} -m pip install '{KAFKA_CLIENT}'"
    return f"Install it with: uv pip install --python {python} '{KAFKA_CLIENT}'"


def _has_wheel(libc: str, version: str) -> bool:
    """Whether there is a wheel for this system's C library."""
    numbers = [int(part) for part in version.split(".")[:2] if part.isdigit()]
    return libc == "glibc" and tuple(numbers) >= _GLIBC_MIN
