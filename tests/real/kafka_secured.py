"""A real broker behind TLS, with users and access control lists: `admin` may do everything, other users only what is granted."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.availability import skip_or_fail
from tests.real.kafka import KafkaBroker
from tests.real.kafka_jars import KafkaMissingError
from tests.service_process import wait_until

Right = tuple[ResourceType, AclOperation]
ADMIN, USER = "admin", "reconcile"
PASSWORD = "the password"
_ADMIN_PASSWORD = "admins own"
_PLAIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_SETTINGS = """
ssl.keystore.type=PEM
ssl.keystore.location={folder}/server.pem
ssl.truststore.type=PEM
ssl.truststore.location={folder}/ca.pem
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
sasl.mechanism.inter.broker.protocol=PLAIN
listener.name.sasl_ssl.plain.sasl.jaas.config={plain} username="{admin}" password="{word}" user_{admin}="{word}" user_{user}="{password}";
listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={scram}
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config={scram}
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:{admin};User:ANONYMOUS
{more}
"""


class SecuredBroker(KafkaBroker):
    """The broker, its certificates, and a client's properties for each user."""

    def __init__(self, folder: Path, *, days: int = 2, more: str = "") -> None:
        """`days` is how long its certificate holds: below 0 it is over. Raises KafkaMissingError."""
        folder.mkdir(parents=True)
        make_authority(folder, "ca")
        make_certificate(folder, "server", days)
        settings = _SETTINGS.format(
            folder=folder,
            plain=_PLAIN,
            scram=_SCRAM,
            admin=ADMIN,
            word=_ADMIN_PASSWORD,
            user=USER,
            password=PASSWORD,
            more=more,
        )
        super().__init__(folder, protocol="SASL_SSL", more=settings)
        self.ca = folder / "ca.pem"
        self.admin: dict[str, str | int | float | bool] = {
            "bootstrap.servers": self.server,
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(self.ca),
            "sasl.mechanism": "PLAIN",
            "sasl.username": ADMIN,
            "sasl.password": _ADMIN_PASSWORD,
        }
        self._for_tools = folder / "admin.properties"
        self._for_tools.write_text(
            "security.protocol=SASL_SSL\nssl.truststore.type=PEM\n"
            f"ssl.truststore.location={self.ca}\nsasl.mechanism=PLAIN\n"
            f'sasl.jaas.config={_PLAIN} username="{ADMIN}" password="{_ADMIN_PASSWORD}";\n'
        )

    def format_with_users(self) -> None:
        """Prepare its folder, with the user for each form of SCRAM."""
        kinds = ("SCRAM-SHA-256", "SCRAM-SHA-512")
        self.format(
            *(word for k in kinds for word in ("--add-scram", f"{k}=[name={USER},password={PASSWORD}]"))
        )

    def change_rights(self, *arguments: str) -> str:
        """What `kafka-acls.sh` is for."""
        given = ("--bootstrap-server", self.server, "--command-config", str(self._for_tools))
        return self.run("org.apache.kafka.tools.AclCommand", *given, *arguments)

    def grant(self, prefix: str, rights: tuple[Right, ...], name: str = "") -> None:
        """Rights of the user to what begins with the prefix, or to one name. Returns when they count."""
        kind = ResourcePatternType.LITERAL if name else ResourcePatternType.PREFIXED
        given = (kind, f"User:{USER}", "*")
        wanted = [
            (of, name or f"{prefix}.", *given, operation, AclPermissionType.ALLOW) for of, operation in rights
        ]
        admin = AdminClient(dict(self.admin))
        for future in admin.create_acls([AclBinding(*words) for words in wanted]).values():
            future.result(20)
        wait_until(
            lambda: all(admin.describe_acls(AclBindingFilter(*words)).result(20) for words in wanted),
            "the rights to count",
        )


@contextmanager
def secured_kafka_or_skip(folder: Path, *, days: int = 2, more: str = "") -> Iterator[SecuredBroker]:
    """A running broker; where there is none, the test is skipped, or fails in CI."""
    try:
        broker = SecuredBroker(folder, days=days, more=more)
    except KafkaMissingError as reason:
        skip_or_fail(str(reason))
    broker.format_with_users()
    broker.start()
    try:
        yield broker
    finally:
        broker.stop(signal.SIGKILL)


# A key of a kind that takes no time to make.
_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def make_authority(folder: Path, name: str) -> None:
    """A certificate authority: NAME.pem, and NAME.key."""
    subject = ("-subj", f"/CN={name}", "-days", "2")
    _openssl(
        "req",
        "-x509",
        *_KEY,
        *subject,
        "-keyout",
        folder / f"{name}.key",
        "-out",
        folder / f"{name}.pem",
    )


def make_certificate(folder: Path, name: str, days: int = 2, authority: str = "ca") -> None:
    """A certificate of that authority for 127.0.0.1 and no other name: NAME.pem, with its key in the same file."""
    key, request, certificate = (folder / f"{name}.{end}" for end in ("key", "csr", "crt"))
    names = folder / f"{name}.names"
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl("req", *_KEY, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    signer = ("-CA", folder / f"{authority}.pem", "-CAkey", folder / f"{authority}.key", "-CAcreateserial")
    _openssl("x509", "-req", "-in", request, *signer, "-days", days, "-extfile", names, "-out", certificate)
    (folder / f"{name}.pem").write_text(key.read_text() + certificate.read_text())


def _openssl(*arguments: object) -> None:
    openssl = shutil.which("openssl") or skip_or_fail("no openssl (`apt-get install openssl`)")
    subprocess.run([openssl, *map(str, arguments)], check=True, capture_output=True)
