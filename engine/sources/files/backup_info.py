"""The metadata of a backup, in `backup.json`."""

from datetime import datetime

import msgspec

from engine.core.records.record import Json

# Dates outside these are ignored: Home Assistant's first backup was made in 2017, and no report can express the
# last day of year 9999.
_OLDEST_AT, _NEWEST_AT = 1_483_228_800.0, 253_402_214_400.0


class BackupInfo(msgspec.Struct):
    """The fields of `backup.json` that are used. None is required, so an odd one does not refuse the backup."""

    homeassistant: Json = None
    date: Json = None
    protected: Json = False

    @property
    def ha_version(self) -> str | None:
        """The core's version, stored in one of two forms."""
        core = self.homeassistant
        version = core.get("version") if isinstance(core, dict) else core
        return version if isinstance(version, str) else None

    @property
    def made_at(self) -> float | None:
        """When it was made, Unix seconds; None without a plausible date."""
        if not isinstance(self.date, str):
            return None
        try:
            at = datetime.fromisoformat(self.date).timestamp()
        except (ValueError, OverflowError):
            return None
        return at if _OLDEST_AT <= at < _NEWEST_AT else None


INFO_DECODER = msgspec.json.Decoder(BackupInfo)
