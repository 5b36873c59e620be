"""Log lines about forgotten revisions: at most one per hour, with the number since the previous line."""

import logging

from engine.core.state.kept_past import Growth
from engine.core.times import rfc3339

Logger = logging.Logger | logging.LoggerAdapter[logging.Logger]

_EVERY_SECONDS = 3_600.0


class ForgottenLines:
    """Logs that the records store has forgotten revisions, after each round."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._seen = self._logged = (0, 0)
        self._logged_at: float | None = None

    def log(self, growth: Growth | None, now: float) -> None:
        """Log revisions newly forgotten by this process; call it often. `now` in seconds."""
        if growth is None:
            return
        before, self._seen = self._seen, (growth.just_by_age, growth.just_by_thinning)
        is_soon = self._logged_at is not None and 0 <= now - self._logged_at < _EVERY_SECONDS
        if self._seen == self._logged or self._seen != before or is_soon:
            return  # nothing new, or the round is not finished
        by_age, by_thinning = (new - old for new, old in zip(self._seen, self._logged, strict=True))
        self._logged, self._logged_at = self._seen, now
        fields: dict[str, object] = {"by_age": by_age, "by_thinning": by_thinning}
        if growth.known_from is not None:
            fields["known_from"] = rfc3339(growth.known_from)
        self._logger.info("history forgotten", extra={"fields": fields})
