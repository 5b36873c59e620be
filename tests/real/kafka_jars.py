"""The Kafka that tests talk to: a broker's jars, fetched once by Maven.

`python -m tests.real.kafka_jars` fetches them (44 MB) and prints where they are. The second version is the oldest line that
is still maintained, for who has not updated.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = "4.1.2"
OLDER = "3.9.1"
PLACE_VARIABLE = "RECONCILE_TEST_KAFKA"  # a folder with a folder of jars for each version

_POM = Path(__file__).with_name("kafka_pom.xml")
_FETCH_SECONDS_MAX = 900


class KafkaMissingError(Exception):
    """There is no such broker; the text says how to get one."""


def find_java() -> Path:
    """A Java of at least 17. Raises KafkaMissingError."""
    java = shutil.which("java")
    if java is None:
        raise KafkaMissingError("no Java: `apt-get install --no-install-recommends openjdk-17-jre-headless`")
    return Path(java)


def find_jars(version: str = VERSION) -> Path:
    """The folder of a version's jars. Raises KafkaMissingError."""
    folder = _place() / f"kafka-{version}"
    if folder.is_dir():
        return folder
    if shutil.which("mvn") is None:
        raise KafkaMissingError(f"no Kafka {version}: no Maven to fetch it with (`apt-get install maven`)")
    raise KafkaMissingError(
        f"no Kafka {version}: run `python -m tests.real.kafka_jars`, or name a folder that has kafka-{version} in "
        f"{PLACE_VARIABLE}"
    )


def fetch(version: str = VERSION) -> Path:
    """Fetch them unless they are there. Raises KafkaMissingError without Maven, CalledProcessError when it fails."""
    find_java()
    maven = shutil.which("mvn")
    try:
        return find_jars(version)
    except KafkaMissingError:
        if maven is None:
            raise
    _place().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_place()) as folder:
        jars = Path(folder) / "jars"
        command = [maven, "-q", "-B", "-f", str(_POM), f"-Dkafka={version}", f"-DoutputDirectory={jars}"]
        subprocess.run([*command, "dependency:copy-dependencies"], check=True, timeout=_FETCH_SECONDS_MAX)
        try:
            jars.rename(_place() / f"kafka-{version}")
        except OSError:  # another one was quicker, and has the same
            return find_jars(version)
    return find_jars(version)


def _place() -> Path:
    named = os.environ.get(PLACE_VARIABLE)
    return Path(named) if named else Path(__file__).resolve().parents[2] / ".cache"


if __name__ == "__main__":
    try:
        for one in (VERSION, OLDER):
            print(fetch(one))
    except KafkaMissingError as missing:
        sys.exit(str(missing))
