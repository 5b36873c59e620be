"""Creates clients of one cluster, and finds the reason why it does not answer.

librdkafka retries until a call's timeout and reports the reason only to a callback. Waiting is pointless when the user is
refused, or when no broker is left. librdkafka reports the latter also while it switches from a broker that is down to another
one, so that report counts only after a moment.

A client must end in a thread of this program, by `close()` or `end_admin`. Otherwise Python's garbage collector may find it while
it runs in one of librdkafka's own threads, as an `AdminClient` makes it, and librdkafka then aborts the process (2.16.1,
2026-11-29). An error that is kept refers to every variable of the calls that raised it, so leaving a client alone is not enough.
"""

import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, libversion, version
from confluent_kafka.admin import AdminClient

from engine.core.counts import plural
from engine.errors import ReplicaError, SettingsError
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.connecting import examine_connection
from engine.replicas.kafka.cluster.failures import AWAY, HOPELESS, replica_error

Name = TypeVar("Name")
T = TypeVar("T")

_STEP_SECONDS = 0.05
# How long to wait for a cluster without brokers: one that has never answered, and one that has.
_STRANGER_SECONDS = 1.0
_FRIEND_SECONDS = 5.0

# librdkafka would write to stderr on its own; relevant failures are raised as errors.
_SILENT = logging.getLogger("engine.replicas.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


def client_versions() -> tuple[str, str]:
    """The versions of the client and of librdkafka in it."""
    return str(version()), str(libversion()[0])


class ClusterClients:
    """Creates clients and remembers their failures. One thread at a time."""

    def __init__(self, access: Access, clock: Callable[[], float] = time.monotonic) -> None:
        """Connects to nothing yet. `clock` is monotonic, in seconds."""
        self._access = access
        self._clock = clock
        self._reason: KafkaError | None = None  # the newest reason why a broker is down
        self._down_at: float | None = None  # when all of them went down
        self._has_answered = False
        self.timeout_seconds = access.timeout_seconds

    def consumer(self, **more: object) -> Consumer:
        """A client that reads. Raises SettingsError for properties that librdkafka does not know."""
        return self._made(Consumer, more)

    def producer(self, **more: object) -> Producer:
        """A client that writes. Raises SettingsError.

        `Producer.close` waits without limit for an open transaction to be aborted. A transactional one ends with its last
        reference instead, so only an attribute may refer to it, and no variable.
        """
        return self._made(Producer, more)

    def admin(self) -> AdminClient:
        """A client that describes and creates topics; `end_admin` ends it. Raises SettingsError."""
        return self._made(AdminClient, {})

    def forget(self) -> None:
        """Forget the failures of clients that are closed."""
        self._reason = self._down_at = None
        self._has_answered = False

    def note_answer(self) -> None:
        """A broker answered: forget earlier failures."""
        self._reason = self._down_at = None
        self._has_answered = True

    def deadline(self) -> float:
        """The time at which a call that begins now times out."""
        return self._clock() + self.timeout_seconds

    def is_over(self, deadline: float) -> bool:
        """Whether that time has passed."""
        return self._clock() >= deadline

    def check(self, deadline: float | None, *, tried: str) -> None:
        """Raises ReplicaError when waiting has become pointless."""
        reason = self._reason
        if reason is not None and (reason.code() in HOPELESS or self._is_down()):
            raise self.error(reason, tried=tried)
        if deadline is not None and self.is_over(deadline):
            raise self.error(KafkaError(KafkaError._TIMED_OUT), tried=tried)  # noqa: SLF001

    def error(self, error: KafkaError, *, tried: str) -> ReplicaError:
        """The error to raise for a call's error, with a better reason if one is known."""
        if self._reason is not None and error.code() in (KafkaError._TIMED_OUT, *AWAY):  # noqa: SLF001
            error = self._reason
        if error.code() == KafkaError._TIMED_OUT:  # noqa: SLF001
            error = KafkaError(
                error.code(), f"it did not answer within {plural(self.timeout_seconds, 'second')}"
            )
        finding = None
        if not self._has_answered and error.code() in (KafkaError._TIMED_OUT, *AWAY):  # noqa: SLF001
            finding = examine_connection(self._access, error.str())
        return replica_error(error, self._access, tried=tried, finding=finding)

    def results(
        self, admin: AdminClient, futures: Mapping[Name, "Future[Any]"], *, tried: str
    ) -> dict[Name, Any]:
        """The cluster's responses by name; a KafkaError is a refusal. Raises ReplicaError when it does not answer."""
        deadline = self.deadline()
        while wait(futures.values(), _STEP_SECONDS).not_done:
            admin.poll(0)  # lets the callback report what is wrong with the connections
            self.check(deadline, tried=tried)
        results = {name: _result(future) for name, future in futures.items()}
        # The client's own codes are negative: they come from no broker.
        if any(not isinstance(found, KafkaError) or found.code() > 0 for found in results.values()):
            self.note_answer()
        return results

    def _made(self, kind: Callable[..., T], more: Mapping[str, object]) -> T:
        configuration = self._access.configuration() | dict(more)
        try:
            return kind({**configuration, "error_cb": self._note}, logger=_SILENT)
        except KafkaException as error:
            # It names the property; it may repeat its value only if that is no secret.
            raise SettingsError(
                f"Kafka's client refuses its settings: {error.args[0].str()}.",
                "Correct records.properties_file; the names are those of librdkafka.",
            ) from error

    def _is_down(self) -> bool:
        patience = _FRIEND_SECONDS if self._has_answered else _STRANGER_SECONDS
        return self._down_at is not None and self._clock() - self._down_at >= patience

    def _note(self, error: KafkaError) -> None:
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001
            self._down_at = self._clock() if self._down_at is None else self._down_at
        else:
            self._reason = error


def end_admin(admin: AdminClient | None) -> None:
    """Close the connections of a client that is no longer used, and end its threads."""
    if admin is not None:
        with admin:  # it has no method that ends it
            pass


def _result(future: "Future[Any]") -> Any:
    try:
        return future.result(0)
    except KafkaException as error:
        return error.args[0]
