"""Coverage-guided fuzzing of one decoder or of all, for a given time:

    python -m tests.fuzz.coverage_guided [--seconds 60] [--runs N] [--seed 0] [DECODER ...]

Needs atheris (`requirements-fuzz.txt`), which is no dependency of the tests. Each decoder runs in a process of its own,
bounded in memory and in time per input; an input that breaks it is written to `crashes/DECODER/`, where the ordinary
tests try it from then on.
"""

import argparse
import os
import sys
import tempfile
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

CRASHES = Path(__file__).parent / "crashes"
MEMORY_MB = 2_048
INPUT_SECONDS = 20
INPUT_BYTES_MAX = 524_288
TOLD_BYTES_MAX = 4_000


def main() -> int:
    """Run the requested decoders; the exit code is 0 when nothing was found."""
    parser = argparse.ArgumentParser()
    parser.add_argument("decoders", nargs="*", metavar="DECODER")
    parser.add_argument("--seconds", type=float, default=60.0, help="for all together, besides their start")
    parser.add_argument("--runs", type=int, default=-1, help="at most so many inputs for each decoder")
    # CI must not fail by chance for a change that did nothing; who looks for something lets it be drawn.
    parser.add_argument("--seed", type=int, default=1, help="of the mutations; 0 draws one")
    given = parser.parse_args()
    atheris: Any = import_module("atheris")
    # Once, before the processes part: it takes longer than many an input.
    with atheris.instrument_imports(include=["engine", "api", "tarfile", "tomllib"]):
        from tests.fuzz.decoders import DECODERS

    names = given.decoders or sorted(DECODERS)
    bounds = {
        "seed": given.seed,
        "runs": given.runs,
        "max_total_time": max(1, round(given.seconds / len(names))),
    }
    failed = [name for name in names if not is_sound(name, bounds)]
    print(f"{len(names) - len(failed)} passed, {len(failed)} failed")
    return 1 if failed else 0


def is_sound(name: str, bounds: dict[str, int]) -> bool:
    """Whether one decoder, in a process of its own, stood it within libFuzzer's `bounds`; prints its last words."""
    with tempfile.TemporaryFile() as reported, tempfile.TemporaryDirectory(prefix="fuzzing-") as folder:
        sys.stdout.flush()
        child = os.fork()
        if child == 0:
            os.dup2(reported.fileno(), 1)
            os.dup2(reported.fileno(), 2)
            fuzz(name, bounds, Path(folder))
        _, status = os.waitpid(child, 0)
        with suppress(OSError):
            (CRASHES / name).rmdir()  # which fails while it holds something
        reported.seek(0)
        words = reported.read().decode("utf-8", "replace")
    if status:
        print(f"{name}: FAILED\n{words[-TOLD_BYTES_MAX:]}", flush=True)
    else:
        print(f"{name}: {words.splitlines()[-1]}", flush=True)
    return status == 0


def fuzz(name: str, bounds: dict[str, int], folder: Path) -> None:
    """Run one decoder until a bound is reached or something escapes; ends the process, and leaves `folder` to be removed."""
    atheris: Any = import_module("atheris")
    from tests.fuzz.decoders import DECODERS
    from tests.fuzz.seeds import SEEDS

    kept = CRASHES / name
    kept.mkdir(parents=True, exist_ok=True)
    corpus, temporary = folder / "corpus", folder / "temporary"
    corpus.mkdir()
    temporary.mkdir()
    tempfile.tempdir = str(temporary)
    for number, content in enumerate(SEEDS[name]()):
        (corpus / f"seed-{number}").write_bytes(content)
    options = {
        **bounds,
        "max_len": INPUT_BYTES_MAX,
        "rss_limit_mb": MEMORY_MB,
        "timeout": INPUT_SECONDS,
        "artifact_prefix": f"{kept}/",
    }
    flags = [f"-{option}={value}" for option, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], DECODERS[name])
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
