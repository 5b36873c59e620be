"""What a records store keeps of the past, and what it does not know any more. Structs for reports."""

import msgspec

from engine.core.times import rfc3339


class Forgotten(msgspec.Struct, frozen=True):
    """What a records store does not know any more, of the home and of one record. Times are Unix seconds."""

    known_from: float | None = (
        None  # as of any time before, nothing is known; None: nothing was forgotten by age
    )
    by_age: int = 0  # revisions of the record
    by_thinning: int = 0
    thinned_until: float | None = None  # up to then a record's past is exact to `thinned_seconds`
    thinned_seconds: int = 0

    @property
    def revisions(self) -> int:
        """How many revisions of the record are not known any more."""
        return self.by_age + self.by_thinning

    @property
    def sentence(self) -> str:
        """What is below the versions of a record where some are not known any more; else nothing."""
        parts = []
        if self.by_age and self.known_from is not None:
            parts.append(f"{self.by_age:,} older than {rfc3339(self.known_from)}")
        if self.by_thinning:
            within = f"within an interval of {self.thinned_seconds} s"
            parts.append(f"{self.by_thinning:,} followed by another {within}")
        return f"Forgotten: {', and '.join(parts)}." if parts else ""


NOTHING_FORGOTTEN = Forgotten()


class Growth(msgspec.Struct, frozen=True):
    """How a records store grows, and what keeps it from growing forever."""

    bytes_per_second: float = 0.0
    known_from: float | None = None  # Unix seconds; None: nothing was forgotten by age
    forgotten_by_age: int = 0  # revisions
    forgotten_by_thinning: int = 0
    just_by_age: int = 0  # of these, what this process has forgotten
    just_by_thinning: int = 0
    doubt: str | None = None  # why nothing is forgotten although the settings ask for it
