"""What a backup says of itself, in `backup.json`."""

from datetime import datetime

import msgspec

from engine.core.records.record import Json

# A date outside of these is none: the first backup of a Home Assistant was made in 2017, and no report can express the
# last day of year 9999.
_OLDEST_AT, _NEWEST_AT = 1_483_228_800.0, 253_402_214_400.0


class BackupInfo(msgspec.Struct):
    """What of `backup.json` is used. Nothing in it is needed, so nothing odd in it refuses a backup."""

    homeassistant: Json = None
    date: Json = None
    protected: Json = False

    @property
    def ha_version(self) -> str | None:
        """The core's version, which is stored in two forms."""
        core = self.homeassistant
        version = core.get("version") if isinstance(core, dict) else core
        return version if isinstance(version, str) else None

    @property
    def made_at(self) -> float | None:
        """When it was made, Unix seconds; None if it gives no date that can be."""
        if not isinstance(self.date, str):
            return None
        try:
            at = datetime.fromisoformat(self.date).timestamp()
        except (ValueError, OverflowError):
            return None
        return at if _OLDEST_AT <= at < _NEWEST_AT else None


INFO_DECODER = msgspec.json.Decoder(BackupInfo)
