"""Makes docs/ a site in a folder: `sh ops/docs --site`.

The site is built from copies, because some of what it shows is elsewhere in the checkout: the runbook, the changelog,
screenshots. A link to those is turned into one within the site; a link to any other file outside docs/ is an error, and so
is everything that the site generator warns of.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
OURS = Path(__file__).resolve().parent
# What the site shows besides docs/: its path in the checkout, and in the site.
OTHERS = {
    "CHANGELOG.md": "changelog.md",
    "engine/DESIGN.md": "design.md",
    "engine/SAFETY.md": "safety.md",
    "ops/RUNBOOK.md": "runbook.md",
}
BUILT = ROOT / "build" / "site"  # replaced by each build
CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits
PICTURES = "ops/home-assistant-app/screenshots"
_LINK = re.compile(r"(\]\(|src=\"|srcset=\")([^)\"#]+)")


class LinkOutside(Exception):
    """A page links to a file that the site does not have."""


def stage(folder: Path) -> None:
    """Puts everything that the site is made of into an empty folder."""
    pages = folder / "docs"
    shutil.copytree(DOCS, pages)
    for source, target in OTHERS.items():
        shutil.copy(ROOT / source, pages / target)
    shutil.copytree(ROOT / PICTURES, pages / "screenshots")
    (pages / "assets").mkdir()
    for name in ("iframe-worker.js", "site.css"):
        shutil.copy(OURS / name, pages / "assets" / name)
    shutil.copy(OURS / "zensical.toml", folder / "zensical.toml")
    for page in sorted(pages.rglob("*.md")):
        name = page.relative_to(pages).as_posix()
        page.write_text(within_site(name, page.read_text(encoding="utf-8")), encoding="utf-8")


def within_site(name: str, text: str) -> str:
    """The page with links that lead to files outside docs/ turned to where the site has them."""
    origin = next((source for source, target in OTHERS.items() if target == name), f"docs/{name}")
    up = "../" * name.count("/")

    def turned(match: re.Match[str]) -> str:
        start, link = match.groups()
        if re.match(r"[a-z]+:", link):
            return match[0]
        target = ((ROOT / origin).parent / link).resolve()
        if not target.is_relative_to(ROOT):
            raise LinkOutside(f"{origin}: {link}")
        wanted = target.relative_to(ROOT).as_posix()
        if wanted in OTHERS:
            return f"{start}{up}{OTHERS[wanted]}"
        if wanted.startswith(PICTURES):
            return f"{start}{up}screenshots/{target.name}"
        if not wanted.startswith("docs/"):
            raise LinkOutside(f"{origin}: {link}")
        return f"{start}{up}{wanted.removeprefix('docs/')}"

    return _LINK.sub(turned, text)


def build(folder: Path) -> int:
    """Builds the site into a folder that is ours; returns an exit code, which is not 0 for a warning."""
    if folder != BUILT and folder.exists():
        print(
            f"ops/docs: {folder} already exists. Name a new directory, or remove that one.", file=sys.stderr
        )
        return CANNOT_CREATE
    work = ROOT / ".cache" / "site"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    try:
        stage(work)
    except LinkOutside as error:
        print(f"ops/docs: a link leads to what the site does not have: {error}", file=sys.stderr)
        return 1
    program = Path(sys.executable).with_name("zensical")
    code = subprocess.run([program, "build", "--strict", "--clean"], cwd=work, check=False).returncode
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(work / "site", folder)
        print(f"{folder} is the site; open {folder / 'index.html'}.")
    return code


if __name__ == "__main__":
    sys.exit(build(Path(sys.argv[1])))
