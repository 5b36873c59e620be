"""A process that had much and freed it is small again."""

import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from engine.process import memory_trim
from engine.process.memory_trim import give_back_memory, keep_giving_back_memory, trim_memory

# Pieces below the size that glibc by itself would take from the machine after the first one was freed.
PROGRAM = """
import sys
from engine.process.memory_trim import trim_memory
if sys.argv[1] == "set":
    trim_memory()
def resident():
    line, = (l for l in open("/proc/self/status") if l.startswith("VmRSS"))
    return int(line.split()[1])
bytes(20_000_000)
kept = []
before = resident()
for _ in range(10):
    big = [bytes([1]) * 10_000_000 for _ in range(5)]
    kept.append(bytes([2]) * 200_000)
    del big
print(resident() - before)
"""

# What is free lies between pieces that are used, where glibc by itself leaves it.
SCATTERED = """
import sys
from engine.process.memory_trim import give_back_memory, trim_memory
trim_memory()
def resident():
    line, = (l for l in open("/proc/self/status") if l.startswith("VmRSS"))
    return int(line.split()[1])
before = resident()
pieces = [bytes([1]) * (100_000 if n % 2 else 600) for n in range(1_000)]
del pieces[1::2]
if sys.argv[1] == "set":
    give_back_memory()
print(resident() - before)
"""


def grown(setting: str, program: str = PROGRAM) -> int:
    """KiB by which the process grew."""
    done = subprocess.run(
        [sys.executable, "-c", program, setting],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return int(done.stdout)


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_freed_memory_is_returned_to_the_system() -> None:
    assert grown("set") < 10_000


@pytest.mark.process
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_what_lies_free_between_used_pieces_is_given_back() -> None:
    assert grown("set", SCATTERED) * 4 < grown("left", SCATTERED)


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctypes.CDLL", lambda _name: object())
    trim_memory()
    give_back_memory()


@pytest.mark.anyio
@pytest.mark.virtual_time
async def test_what_can_be_had_again_is_freed_before_memory_is_given_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[float, str]] = []
    began = anyio.current_time()

    async def let_go() -> None:
        seen.append((anyio.current_time() - began, "free"))

    monkeypatch.setattr(
        memory_trim, "give_back_memory", lambda: seen.append((anyio.current_time() - began, "give back"))
    )
    with anyio.move_on_after(100):
        await keep_giving_back_memory(let_go)
    times = (3.0, 6.0, 9.0, 15.0, 30.0, 60.0)
    assert seen == [(at, what) for at in times for what in ("free", "give back")], "often, then each minute"
