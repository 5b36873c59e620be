"""Copies the Prometheus rules of ops/prometheus with other addresses in their links, or another name of the job.

    python3 ops/alert_rules.py --runbook https://wiki.example/RUNBOOK.md --grafana https://grafana.example DIRECTORY

Standard library only, so that it runs on the machine of a Prometheus.
"""

import argparse
import re
import sys
from pathlib import Path

SHIPPED = Path(__file__).resolve().parent / "prometheus"
FILES = ("rules.yml", "fleet-rules.yml")
CANNOT_CREATE = 73  # EX_CANTCREAT of sysexits


def with_links(text: str, runbook: str | None, grafana: str | None, job: str | None) -> str:
    """The rules with these; what is None stays as it is."""
    if runbook is not None:
        text = re.sub(r"(?m)^( +runbook_url: )\S*(?=#\w+$)", lambda found: found[1] + runbook, text)
    if grafana is not None:
        text = re.sub(r'(?m)^( +dashboard_url: ")\S*?(?=/d/)', lambda found: found[1] + grafana, text)
    if job is not None:
        text = re.sub(r'job="\w+"', f'job="{job}"', text).replace("of the job reconcile", f"of the job {job}")
    return text


def address(text: str) -> str:
    """An address of the web, without a slash at its end."""
    if not re.fullmatch(r"https?://[^\s\"\\#{}]+", text):
        raise argparse.ArgumentTypeError(f"{text} is no address such as https://grafana.example")
    return text.rstrip("/")


def job_name(text: str) -> str:
    """A name that needs no quoting."""
    if not re.fullmatch(r"[A-Za-z0-9_.:/-]+", text):
        raise argparse.ArgumentTypeError(f"{text} has other characters than letters, digits and _.:/-")
    return text


def main() -> int:
    """Write the copies; an exit code."""
    parser = argparse.ArgumentParser(description="Copies the alert rules with your own addresses in them.")
    parser.add_argument(
        "--runbook", type=address, help="address of RUNBOOK.md; the alert's heading is put behind it"
    )
    parser.add_argument("--grafana", type=address, help="address of Grafana, as people reach it")
    parser.add_argument("--job", type=job_name, help="name of the scrape job, instead of reconcile")
    parser.add_argument("directory", type=Path, help="a new folder, or one without rules")
    given = parser.parse_args()
    made = {
        given.directory / name: with_links(
            (SHIPPED / name).read_text(encoding="utf-8"), given.runbook, given.grafana, given.job
        )
        for name in FILES
    }
    try:
        given.directory.mkdir(parents=True, exist_ok=True)
        for path, text in made.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            print(path)
    except OSError as error:
        print(f"ops/alert_rules.py: {error}. Name a new folder, or remove those rules.", file=sys.stderr)
        return CANNOT_CREATE
    return 0


if __name__ == "__main__":
    sys.exit(main())
