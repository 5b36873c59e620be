"""A Dockerfile carried out without Docker: its very steps, in a folder instead of a container.

Every absolute path below one of IMAGE_FOLDERS is turned into one below the image's root; the base image is this machine, with
the Python of the tests. Stages are made one after the other under the same root, so that what a stage leaves behind is not
there for the next one. What only a container engine can do (users, owners, volumes, isolation) is read and not done.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

IMAGE_FOLDERS = ("opt", "data", "config", "share")
LEFT_TO_DOCKER = ("ARG", "EXPOSE", "VOLUME")
SECONDS_MAX = 500


@dataclass
class Image:
    """The last stage: what it holds and how it is started. `argv` and `environment` are as a container would get them."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    folder: Path = Path("/")
    user: str = "root"
    labels: dict[str, str] = field(default_factory=dict)
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)

    @property
    def argv(self) -> list[str]:
        """What a container runs."""
        return [*self.entrypoint, *self.command]


class StepFailedError(Exception):
    """A RUN step ended with another code than 0; the message holds what it said."""


def instructions(dockerfile: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, arguments) in order, without comments, with continued lines joined."""
    lines = [line for line in dockerfile.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined.splitlines() if line.strip()]


def sent_to_builder(context: Path, ignore: str, destination: Path) -> None:
    """Copies what a .dockerignore lets through; it must be a list of what is allowed."""
    patterns = [line for line in ignore.splitlines() if line and not line.startswith("#")]
    assert patterns[0] == "*", "nothing but what is named may be sent"
    for pattern in patterns[1:]:
        if pattern.startswith("!"):
            _copy(context / pattern[1:], destination / pattern[1:])
        else:
            assert pattern.startswith("**/"), f"a pattern that this reader does not know: {pattern}"
            for path in [*destination.rglob(pattern.removeprefix("**/"))]:
                shutil.rmtree(path)


def build(dockerfile: Path, context: Path, root: Path) -> Image:
    """Carries out every stage, and returns the last. Raises StepFailedError."""
    stages: dict[str, Path] = {}
    image = Image(root)
    name = ""
    for instruction, arguments in instructions(dockerfile.read_text(encoding="utf-8")):
        if instruction == "FROM":
            if name:
                stages[name] = root.rename(root.with_name(f"{root.name}-{name}"))
            name = arguments.split(" AS ")[1] if " AS " in arguments else "last"
            image = Image(root, environment={"PATH": f"{_tools(root)}:/usr/bin:/bin"})
            root.mkdir()
        elif instruction not in LEFT_TO_DOCKER:
            _run_steps(image, instruction, arguments, context, stages)
    return image


def _run_steps(
    image: Image, instruction: str, arguments: str, context: Path, stages: dict[str, Path]
) -> None:
    inside = _inside(arguments, image)
    match instruction:
        case "WORKDIR":
            image.folder = Path(inside)
            image.folder.mkdir(parents=True, exist_ok=True)
        case "COPY":
            _carry_out_copy(image, arguments, context, stages)
        case "RUN":
            _run(inside, image)
        case "ENV":
            image.environment.update(_pairs(inside, image.environment))
        case "LABEL":
            image.labels.update(_pairs(arguments, {}))
        case "USER":
            image.user = arguments
        case "ENTRYPOINT":
            image.entrypoint = json.loads(inside)
        case "CMD":
            image.command = json.loads(inside)
        case "HEALTHCHECK":
            image.healthcheck = json.loads(inside.partition(" CMD ")[2])
        case _:
            raise ValueError(f"The Dockerfile has {instruction}, which is not carried out here.")


def _inside(text: str, image: Image) -> str:
    folders = "|".join(IMAGE_FOLDERS)
    return re.sub(rf"(?<![\w./-])/(?=(?:{folders})\b)", f"{image.root}/", text)


def _pairs(text: str, known: dict[str, str]) -> dict[str, str]:
    pairs = re.findall(r'(\S+?)=("[^"]*"|\S+)', text)
    return {
        name: re.sub(r"\$(\w+)", lambda m: known.get(m[1], m[0]), value.strip('"')) for name, value in pairs
    }


def _carry_out_copy(image: Image, arguments: str, context: Path, stages: dict[str, Path]) -> None:
    words = arguments.split()
    options = dict(word.removeprefix("--").split("=") for word in words if word.startswith("--"))
    *sources, target = [word for word in words if not word.startswith("--")]
    origin = stages[options["from"]] if "from" in options else context
    destination = image.folder / _inside(target, image)
    for source in sources:
        is_into = target.endswith("/")
        _copy(
            origin / source.lstrip("/"),
            destination / Path(source).name if is_into else destination,
        )


def _copy(source: Path, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, destination, symlinks=True, dirs_exist_ok=True)
    else:
        shutil.copy(source, destination)


def _run(command: str, image: Image) -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=image.folder,
        env={**_package_source(), **image.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    if done.returncode:
        raise StepFailedError(f"{command}\n{done.stdout}")


def _package_source() -> dict[str, str]:
    """Where this machine gets packages: its own settings, which no image holds."""
    names = re.compile(r"HOME|PIP_\w+|UV_\w+|SSL_\w+|\w+_(?:PROXY|proxy)")
    return {name: value for name, value in os.environ.items() if names.fullmatch(name)}


def _tools(root: Path) -> Path:
    """A folder with the base image's `python`."""
    tools = root.with_name(f"{root.name}-tools")
    tools.mkdir(exist_ok=True)
    python = tools / "python"
    if not python.exists():
        python.symlink_to(Path(getattr(sys, "_base_executable", sys.executable)).resolve())
    return tools
