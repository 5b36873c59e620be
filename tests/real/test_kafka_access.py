"""A real broker behind TLS, with users and rights: the documented permissions suffice, and a missing one is named in one sentence."""

import re
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import anyio
import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]

from engine.claims import Claim, LastingClaim
from engine.errors import EngineError, ReplicaRejected, SettingsError
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access
from engine.replicas.kafka.cluster.log import home_log
from engine.replicas.kafka.cluster.workers import ClusterFleet
from engine.replicas.kafka.doctor import examine_kafka
from engine.replicas.kafka.open import open_kafka
from engine.replicas.kafka.topics import TopicNames
from engine.secret import Secret
from tests.fakes.world import MemoryLedger
from tests.real.kafka_home import HOME
from tests.real.kafka_member import member_of
from tests.real.kafka_secured import (
    PASSWORD,
    USER,
    Right,
    SecuredBroker,
    make_authority,
    make_certificate,
    secured_kafka_or_skip,
)
from tests.replicas.passes import one_pass
from tests.service_process import ROOT, wait_until

pytestmark = [pytest.mark.real_server, pytest.mark.slow]
TOPIC, GROUP, TRANSACTION = ResourceType.TOPIC, ResourceType.GROUP, ResourceType.TRANSACTIONAL_ID
READ, WRITE, CREATE, DESCRIBE = (
    AclOperation.READ,
    AclOperation.WRITE,
    AclOperation.CREATE,
    AclOperation.DESCRIBE,
)
EVERY: tuple[Right, ...] = (
    (TOPIC, READ),
    (TOPIC, WRITE),
    (TOPIC, CREATE),
    (TRANSACTION, WRITE),
    (GROUP, READ),
)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    with secured_kafka_or_skip(tmp_path_factory.mktemp("secured") / "broker") as found:
        yield found


def access_to(broker: SecuredBroker, prefix: str, *, more: str = "", **changed: object) -> Access:
    given: dict[str, object] = {
        "username": USER,
        "password": Secret(PASSWORD),
        "properties": {"ssl.ca.location": str(broker.ca)},
        "timeout_seconds": 5.0,
    }
    uri = f"kafkas://{broker.server}/{prefix}?partitions=2&replicas=1{more}"
    return Access(parse_address(uri, "records.kafka_uri"), **{**given, **changed})  # type: ignore[arg-type]


def reconcile(access: Access) -> int:
    """Fill an empty store; returns how much was written."""
    records = open_kafka(access, site="home", claim=LastingClaim("home", "x@1"), verify_seconds=3600)
    with closing(records):
        return len(one_pass(records, MemoryLedger(), HOME).operations)


def fill_and_listen(access: Access) -> None:
    """Fill an empty store until it is refused. The refusal of a group may arrive when everything is read, and is raised then."""
    records = open_kafka(access, site="home", claim=LastingClaim("home", "x@1"), verify_seconds=3600)
    with closing(records):
        one_pass(records, MemoryLedger(), HOME)
        wait_until(lambda: records.data_version() < 0, "a refusal")


def documented_commands(prefix: str) -> list[list[str]]:
    """The arguments of each `kafka-acls.sh` in the documentation, without how to reach the cluster."""
    text = (ROOT / "docs/how-to/kafka.md").read_text(encoding="utf-8").replace("\\\n", " ")
    lines = re.findall(r"(?m)^kafka-acls\.sh \$to (.+)$", text)
    return [line.replace("reconcile.", f"{prefix}.").split() for line in lines]


@pytest.mark.anyio
async def test_the_documented_rights_are_all_that_is_needed(broker: SecuredBroker) -> None:
    commands = documented_commands("granted")
    assert len(commands) == 3
    for command in commands:
        given = ("--allow-principal", f"User:{USER}")
        await anyio.to_thread.run_sync(partial(broker.change_rights, *given, *command))
    for more in ("", "&sasl=SCRAM-SHA-256", "&sasl=PLAIN"):
        access = access_to(broker, "granted", more=more)
        written = await anyio.to_thread.run_sync(reconcile, access)
        assert written == (0 if more else 3)
    held: list[Claim] = []

    async def gain(claim: Claim) -> None:
        held.append(claim)

    async def lose(claim: Claim) -> None:
        held.remove(claim)

    troubles: list[EngineError] = []
    member = member_of(access, troubles.append)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(member.run, gain, lose)
        with anyio.fail_after(60):
            while len(held) < 2:  # noqa: ASYNC110 (a real broker has no event to wait for)
                await anyio.sleep(0.05)
        [worker] = await anyio.to_thread.run_sync(ClusterFleet(access).workers)
        assert worker.partitions == (0, 1)
        site = next(name for name in ("home", "house", "cabin", "flat") if held[0].covers(name))
        records = open_kafka(access, site=site, claim=held[0], verify_seconds=3600)
        await anyio.to_thread.run_sync(one_pass, records, MemoryLedger(), HOME)
        tasks.cancel_scope.cancel()
    assert troubles == []


@pytest.mark.parametrize(
    ("missing", "reported", "advice"),
    [
        ((TOPIC, READ), "This user may not read topic {}.area.", "Grant it Read on topics"),
        ((TOPIC, WRITE), "This user may not write topic {}.area.", "Grant it Write on topics"),
        (
            (TOPIC, CREATE),
            "cannot make topic .*: this user lacks a right",
            "and Create where it is to make them",
        ),
        (
            (TRANSACTION, WRITE),
            "cannot be written: this user may not use the transactional id",
            "Grant it Write",
        ),
        (
            (GROUP, READ),
            "cannot be read: this user may not use the consumer group",
            "Grant it Read on groups",
        ),
    ],
)
def test_a_right_that_is_missing_is_named(
    broker: SecuredBroker, missing: Right, reported: str, advice: str
) -> None:
    prefix = f"without{missing[0].name}{missing[1].name}"
    broker.grant(prefix, (*(right for right in EVERY if right != missing), (TOPIC, DESCRIBE)))
    with pytest.raises(ReplicaRejected, match=reported.format(prefix)) as refused:
        fill_and_listen(access_to(broker, prefix))
    assert advice in refused.value.hint
    assert refused.value.hint.endswith("`reconcile docs kafka` has the commands.")
    assert "\n" not in str(refused.value)
    broker.grant(prefix, (missing,))
    reconcile(access_to(broker, prefix))


def test_a_single_forbidden_topic_is_named_by_the_pass_and_by_doctor(
    broker: SecuredBroker,
) -> None:
    names = TopicNames("one")
    broker.grant("one", tuple(right for right in EVERY if right != (TOPIC, WRITE)))
    for topic in names.all:
        if topic != names.changes:
            broker.grant("one", ((TOPIC, WRITE),), topic)
    access = access_to(broker, "one")
    with pytest.raises(ReplicaRejected, match=r"This user may not write topic one\.changes\."):
        reconcile(access)
    with closing(home_log(access, "home")) as log:
        checks = {check.name: check for check in examine_kafka(log, access.address, "home")}
    assert (checks["rights"].status, checks["rights"].found) == (
        "failed",
        "This user may not write topic one.changes.",
    )


@pytest.mark.parametrize("more", ["", "&sasl=SCRAM-SHA-256", "&sasl=PLAIN"])
@pytest.mark.parametrize("user", [USER, "nobody"])
def test_a_wrong_user_or_password_is_reported_and_not_repeated(
    broker: SecuredBroker, more: str, user: str
) -> None:
    access = access_to(broker, "granted", more=more, username=user, password=Secret("mistyped"))
    with pytest.raises(ReplicaRejected, match="does not accept the user or the password") as refused:
        reconcile(access)
    assert "mistyped" not in str(refused.value)
    assert "the sasl option of records.kafka_uri" in refused.value.hint


def test_mismatched_certificates_and_listeners_are_distinguished(
    broker: SecuredBroker, tmp_path: Path
) -> None:
    make_authority(tmp_path, "other")
    other = {"ssl.ca.location": str(tmp_path / "other.pem")}
    right = access_to(broker, "granted")
    localhost = f"kafkas://localhost:{broker.port}/granted"
    for access, reported, advice in (
        (
            access_to(broker, "x", properties=other),
            "not signed by an authority in .*other.pem",
            "ssl.ca.location",
        ),
        (
            access_to(broker, "x", properties={}),
            "not signed by an authority in the system",
            "ssl.ca.location",
        ),
        (_at(right, localhost), "is for another name", "in records.uri and in its own advertised.listeners"),
        (_at(right, f"kafka://{broker.server}/x"), "is a listener with TLS", "Write kafkas://"),
    ):
        with pytest.raises(ReplicaRejected, match=reported) as refused:
            reconcile(access)
        assert advice in refused.value.hint
    with pytest.raises(EngineError, match="accept clients without a user"):
        reconcile(access_to(broker, "x", username="", password=Secret("")))


def _at(access: Access, uri: str) -> Access:
    return Access(
        parse_address(uri), access.username, access.password, access.properties, access.timeout_seconds
    )


def test_a_required_client_certificate_is_named(tmp_path: Path) -> None:
    more = "listener.name.sasl_ssl.ssl.client.auth=required"
    with secured_kafka_or_skip(tmp_path / "broker", more=more) as found:
        make_certificate(found.folder, "client")
        own = {"ssl.certificate.location": "client.crt", "ssl.key.location": "client.key"}
        own = {name: str(found.folder / file) for name, file in own.items()}
        found.admin.update(own)
        found.grant("own", EVERY)
        access = access_to(found, "own")
        with pytest.raises(ReplicaRejected, match="certificate, or asks for one") as refused:
            reconcile(access)
        assert "ssl.certificate.location" in refused.value.hint
        assert reconcile(access_to(found, "own", properties={**access.properties, **own})) == 3


@pytest.mark.parametrize(
    ("properties", "reported"),
    [
        ({"ssl.ca.locatoin": "x"}, 'No such configuration property: "ssl.ca.locatoin"'),
        ({"socket.timeout.ms": "x"}, 'Invalid value for configuration property "socket.timeout.ms"'),
        ({"ssl.ca.location": __file__}, "ssl.ca.location failed"),
    ],
)
def test_an_invalid_property_is_named(properties: dict[str, str], reported: str) -> None:
    with pytest.raises(SettingsError, match=reported) as refused:
        reconcile(Access(parse_address("kafkas://127.0.0.1:1/x"), properties=properties))
    assert "records.properties_file" in refused.value.hint
