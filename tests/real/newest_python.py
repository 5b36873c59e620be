"""An environment with what the tests need, on the newest Python: .ci/run takes the quick tests through it.

    python -m tests.real.newest_python      # prints the environment's folder, which RECONCILE_TEST_ENVIRONMENT takes

Where this machine has no such Python, the one that `tests.real.installation` unpacks for Home Assistant is used, so do not run
both at the same time.
"""

import sys

from tests.real.installation import (
    CACHE,
    CHECKOUT,
    Installation,
    InstallationMissingError,
    Release,
    install,
)

PYTHON = Release(
    "3.14",
    CHECKOUT / "requirements-dev.txt",
    "RECONCILE_TEST_ENVIRONMENT",
    ("3.14",),
    (3, 14),
    from_debian="3.14",
    pip_options=("--require-hashes", "--only-binary", ":all:"),
)


def main() -> int:
    """Make the environment, unless it is there, and print its folder."""
    directory = CACHE / f"tests-{PYTHON.requirements_hash}-python{PYTHON.version}"
    try:
        install(Installation(PYTHON, directory, is_ours=True))
    except InstallationMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    print(directory)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
