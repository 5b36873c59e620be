"""How much of the past a records store keeps, and how much it has forgotten. Structs for reports."""

import msgspec

from engine.core.times import rfc3339


class Forgotten(msgspec.Struct, frozen=True):
    """What a records store has forgotten of the home and of one record. Times are Unix seconds."""

    known_from: float | None = (
        None  # nothing is known as of any earlier time; None: nothing was forgotten by age
    )
    by_age: int = 0  # revisions of the record
    by_thinning: int = 0
    thinned_until: float | None = None  # up to then a record's past is exact to `thinned_seconds`
    thinned_seconds: int = 0

    @property
    def revisions(self) -> int:
        """The number of the record's forgotten revisions."""
        return self.by_age + self.by_thinning

    @property
    def sentence(self) -> str:
        """The note below a record's versions if some were forgotten; else empty."""
        parts = []
        if self.by_age and self.known_from is not None:
            parts.append(f"{self.by_age:,} older than {rfc3339(self.known_from)}")
        if self.by_thinning:
            within = f"within an interval of {self.thinned_seconds} s"
            parts.append(f"{self.by_thinning:,} followed by another {within}")
        return f"Forgotten: {', and '.join(parts)}." if parts else ""


NOTHING_FORGOTTEN = Forgotten()


class Growth(msgspec.Struct, frozen=True):
    """The growth of a records store, and what limits it."""

    bytes_per_second: float = 0.0
    known_from: float | None = None  # Unix seconds; None: nothing was forgotten by age
    forgotten_by_age: int = 0  # revisions
    forgotten_by_thinning: int = 0
    just_by_age: int = 0  # of these, what this process has forgotten
    just_by_thinning: int = 0
    doubt: str | None = None  # why nothing is forgotten although the settings require it
