"""The checks of `reconcile doctor` for a home's fleet: its owner, and whether all processes have the same settings."""

from collections.abc import Iterator
from time import time
from typing import TYPE_CHECKING

from api.page.wording import count_text
from engine.commandline.verbs.doctor.check import Check
from engine.errors import EngineError
from engine.settings.sections import LoadedSettings

if TYPE_CHECKING:
    from engine.replicas.kafka.sites.overview import HomeOverview, SettingsDifference

_SAME_FILES = "Bring the same reconcile.toml and the same folder of homes to all machines."
_NAMED = 5


def check_fleet(loaded: LoadedSettings) -> Iterator[Check]:
    """Its processes, this home's owner, and homes with different settings; nothing if no fleet is configured."""
    if not loaded.settings.fleet.brokers:
        return
    from engine.composition.kafka import open_fleet
    from engine.replicas.kafka.sites.overview import overview

    name = loaded.settings.site.name
    try:
        fleet = open_fleet(loaded)
        known = fleet.said()
        found = overview(fleet.workers(), known, [name], fleet.partitions, time())
    except EngineError as error:
        yield Check("fleet", "fail", error.message, error.hint)
        return
    drained = [worker.name for worker in found.workers if worker.state == "drained"]
    silent = [worker.name for worker in found.workers if worker.state == "silent"]
    summary = count_text(len(found.workers), "process", "processes")
    summary += f", of which {', '.join(drained)} is drained" if drained else ""
    if silent:
        message = f"{', '.join(silent)} is a member of the consumer group but has not reported"
        yield Check("fleet", "warn", message, "Keep other programs out of the group, or wait for its start.")
    else:
        yield Check("fleet", "ok", summary)
    yield _home_check(next(site for site in found.sites if site.name == name))
    yield _settings_check(found.differing_settings)
    digests = {w.worker: w.settings.get(name) for w in known.workers.values() if w.state == "active"}
    yield from _check_here(loaded, digests)


def _home_check(site: "HomeOverview") -> Check:
    if site.owner is None:
        return Check("fleet home", "fail", f"no process keeps {site.name}", "Start one, or more of them.")
    if site.stage == "unconfigured":
        return Check("fleet home", "fail", site.reason or site.stage, _SAME_FILES)
    if site.reason:
        return Check("fleet home", "warn", f"{site.owner} has {site.name}: {site.reason}")
    return Check("fleet home", "ok", f"{site.owner} keeps {site.name}, {site.status}")


def _settings_check(differences: "tuple[SettingsDifference, ...]") -> Check:
    if not differences:
        return Check("fleet settings", "ok", "the same on all processes")
    first = differences[0]
    names = ", ".join(difference.name for difference in differences[:_NAMED])
    more = f" and {len(differences) - _NAMED} more" if len(differences) > _NAMED else ""
    words = ", ".join(f"{worker} {word}" for worker, word in first.workers.items())
    return Check(
        "fleet settings", "warn", f"processes differ on {names}{more}; {first.name}: {words}", _SAME_FILES
    )


def _check_here(loaded: LoadedSettings, digests: dict[str, str | None]) -> Iterator[Check]:
    """Whether this machine's settings of the home are the ones the processes use."""
    from engine.sites.sharing.digests import settings_digest

    here = settings_digest(loaded.settings)
    others = sorted(worker for worker, digest in digests.items() if digest != here)
    if others:
        message = f"the settings of {loaded.settings.site.name} here are not those of {', '.join(others)}"
        yield Check("fleet settings here", "warn", message, _SAME_FILES)
