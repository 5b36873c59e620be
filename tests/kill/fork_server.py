"""A process that has the program loaded and forks one `reconcile` per order, so that a kill costs a tenth of a second.

Run as `python -m tests.kill.fork_server` it takes orders, one a line, and answers each with the process it forked and,
later, how that ended. Only its own children are waited for and killed.
"""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from types import TracebackType

import msgspec

ROOT = Path(__file__).parents[2]
KILLED = -signal.SIGKILL


class Order(msgspec.Struct, frozen=True):
    """One `reconcile ARGV`, in `folder`. It is killed at a file operation, see `CrashDisk`, or not at all."""

    argv: list[str]
    folder: str
    environ: dict[str, str] = {}
    crash_at: int | None = None
    is_torn: bool = False


class Ending(msgspec.Struct, frozen=True):
    """Exit code (or minus the signal), and the file operations done, which only a process that was not killed reports."""

    code: int
    operations: int = 0


class ForkServer:
    """The orders' other end. One order at a time."""

    def __enter__(self) -> "ForkServer":
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("RECONCILE_", "SUPERVISOR_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kill.fork_server"],
            cwd=ROOT,
            env={**clean, "PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._running: int | None = None
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._running is not None:
            self.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()  # it ends with its orders
        self._process.wait(30)
        self._process.stdout.close()

    def start(self, order: Order) -> None:
        """Returns when it runs."""
        assert self._running is None, "one order at a time"
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        self._process.stdin.flush()
        self._running = msgspec.json.decode(self._answer(), type=int)

    def kill(self) -> Ending:
        """`kill -9`, unless it has ended by itself; returns how it ended."""
        assert self._running is not None
        if self.is_running():
            with suppress(ProcessLookupError):  # it was quicker
                os.kill(self._running, signal.SIGKILL)
        return self.wait()

    def is_running(self) -> bool:
        """Whether what was started is still at work."""
        assert self._running is not None
        try:
            stat = Path(f"/proc/{self._running}/stat").read_text()
        except OSError:
            return False
        state, parent = stat.rpartition(")")[2].split()[:2]
        # The number of one that has ended may be another process's by now.
        return state != "Z" and int(parent) == self._process.pid

    def wait(self) -> Ending:
        """Returns when it has ended."""
        ending = msgspec.json.decode(self._answer(), type=Ending)
        self._running = None
        return ending

    def run(self, order: Order) -> Ending:
        """From beginning to end."""
        self.start(order)
        return self.wait()

    def _answer(self) -> bytes:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the fork server ended"
        return line


def serve_orders() -> None:
    """The program: fork, report, wait, report."""
    # What a pass and the service need; imported here once, and not again in every fork.
    import engine.commandline.metrics_file
    import engine.commandline.verbs.compact
    import engine.commandline.verbs.run_pass
    import engine.commandline.verbs.service.serve
    import engine.composition.influx
    import engine.replicas.history.replica
    import engine.replicas.rows.replica
    import engine.sources.files.capture
    import engine.sources.files.polling  # noqa: F401

    for line in sys.stdin.buffer:
        order = msgspec.json.decode(line, type=Order)
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reading)
            os._exit(_run_steps(order, writing))
        os.close(writing)
        _tell(pid)
        with os.fdopen(reading, "rb") as pipe:
            counted = pipe.read()  # ends with the child, however it ends
        _, status = os.waitpid(pid, 0)
        _tell(Ending(os.waitstatus_to_exitcode(status), int(counted or 0)))


def _run_steps(order: Order, writing: int) -> int:
    from engine.__main__ import main
    from tests.kill.crash_disk import CrashDisk

    os.chdir(order.folder)
    os.environ.update(order.environ)
    said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for ours, theirs in ((nothing, 0), (said, 1), (said, 2)):
        os.dup2(ours, theirs)
    disk = CrashDisk(order.crash_at, is_torn=order.is_torn)
    code = main(order.argv)
    os.write(writing, str(disk.operations).encode())
    return code


def _tell(what: object) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    serve_orders()
