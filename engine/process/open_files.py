"""The limit on a service's open files: raised as far as allowed, and refused if too low to work.

SQLite needs three for each connection to a file, Home Assistant, InfluxDB and every client of the API one each; below
this minimum, a single client could keep the mirror from opening its own files.
"""

import resource

from engine.core.counts import plural
from engine.errors import SettingsError

FILES_MIN = 32  # 22 were open at most with both stores, without a client (2026-11-29)
_FILES_WANTED = 1024


def raise_file_limit() -> None:
    """Raise the soft limit as far as the hard limit allows. Raises SettingsError if that is too low."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = _FILES_WANTED if hard == resource.RLIM_INFINITY else min(hard, _FILES_WANTED)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        soft = allowed
    if soft != resource.RLIM_INFINITY and soft < FILES_MIN:
        raise SettingsError(
            f"This process may open {plural(soft, 'file')} at once, and a service needs {FILES_MIN}.",
            "Raise the limit: `ulimit -n 1024`, LimitNOFILE=1024 in a systemd unit, ulimits.nofile in a compose file.",
        )
