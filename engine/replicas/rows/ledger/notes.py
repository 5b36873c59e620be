"""Short texts that the rows file keeps about itself and about other stores."""

from abc import abstractmethod
from contextlib import AbstractContextManager

import apsw

from engine.ports import Ledger
from engine.replicas.rows.ledger import entries

# The digests of the replicas when they were equal to their ledger entries.
_EQUAL = "equal"


class LedgerNotes(Ledger):
    """The part of a ledger that keeps notes, over transactions on its file. Every method raises ReplicaError."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[apsw.Connection]:
        """A read transaction."""

    @abstractmethod
    def _writing(self) -> AbstractContextManager[apsw.Connection]:
        """A write transaction."""

    @abstractmethod
    def _trusts_digests(self, connection: apsw.Connection) -> bool:
        """Whether rows are as this program would write them."""

    def place(self, replica: str) -> str | None:
        """The store that the ledger's entries for a replica are about; None if unknown."""
        with self._reading() as connection:
            return entries.read_note(connection, f"place {replica}")

    def equal_replicas(self) -> str | None:
        """The text last stored about equal replicas; None if the layout of the rows may have changed since."""
        with self._reading() as connection:
            return entries.read_note(connection, _EQUAL) if self._trusts_digests(connection) else None

    def note_equal_replicas(self, text: str) -> None:
        """Store the text, replacing the previous one."""
        with self._writing() as connection:
            entries.write_note(connection, _EQUAL, text)

    def ledger_digest(self, replica: str) -> str | None:
        """A digest of the versions last applied to a replica; None if they cannot be ours."""
        with self._reading() as connection:
            return entries.digest_applied(connection, replica)

    def secret(self) -> bytes | None:
        """The key that seals caches of this file; None if there is none."""
        with self._reading() as connection:
            return entries.read_secret(connection)

    def make_secret(self) -> bytes:
        """The key that seals caches of this file, created if missing."""
        found = self.secret()
        if found is None:
            with self._writing() as connection:
                found = entries.write_secret(connection)
        return found


def write_place(connection: apsw.Connection, replica: str, place: str) -> None:
    """Record that the ledger's entries for a replica are about this store."""
    entries.write_note(connection, f"place {replica}", place)
