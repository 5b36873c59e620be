"""The status of one home among many, as one word."""

from api.sites.ports import SiteView, Stage
from engine.core.state.status import status_word

WORDS = ("blocked", "out_of_sync", "unknown", "in_sync")  # the worst first; unknown may resolve itself


def site_word(view: SiteView, now: float) -> str:
    """The status of a home at `now` (Unix seconds); a home that is not kept is unknown."""
    return status_word(view.status, now, view.freshness) if view.status else "unknown"


def severity(view: SiteView, now: float) -> tuple[int, str]:
    """The sort key that puts the worst homes first, by their statuses at `now` (Unix seconds)."""
    stages = (Stage.FAILED, Stage.INVALID, Stage.UNCONFIGURED)
    return (0 if view.stage in stages else 1 + WORDS.index(site_word(view, now)), view.name)
