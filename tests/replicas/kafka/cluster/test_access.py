"""The connection to a cluster: protocol, user, and a file of properties."""

from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.replicas.kafka.address import parse_address
from engine.replicas.kafka.cluster.access import Access, read_properties
from engine.secret import Secret


@pytest.mark.parametrize(
    ("uri", "user", "protocol"),
    [
        ("kafka://a", "", "PLAINTEXT"),
        ("kafkas://a", "", "SSL"),
        ("kafka://a", "me", "SASL_PLAINTEXT"),
        ("kafkas://a", "me", "SASL_SSL"),
    ],
)
def test_the_protocol_follows_from_the_address_and_the_user(uri: str, user: str, protocol: str) -> None:
    made = Access(parse_address(uri), user, Secret("pass")).configuration()
    assert made["security.protocol"] == protocol
    assert made.get("sasl.username", "") == user
    assert made.get("sasl.password") == ("pass" if user else None)


def test_a_file_of_properties_adds_to_them_and_decides(tmp_path: Path) -> None:
    file, authority = tmp_path / "client.properties", tmp_path / "ca.pem"
    authority.touch()
    file.write_text(f"# of the cluster\n\nssl.ca.location = {authority}\nsecurity.protocol=SASL_SSL\na=b=c\n")
    properties = read_properties(str(file))
    assert properties == {"ssl.ca.location": str(authority), "security.protocol": "SASL_SSL", "a": "b=c"}
    made = Access(parse_address("kafkas://a"), properties=properties).configuration()
    assert made["security.protocol"] == "SASL_SSL"


def test_a_file_that_a_property_names_has_to_be_there(tmp_path: Path) -> None:
    file = tmp_path / "client.properties"
    file.write_text(f"# x\nssl.ca.location={tmp_path}\nssl.key.location={tmp_path}/none.key\n")
    with pytest.raises(SettingsError) as refused:
        read_properties(str(file))
    assert (
        f"names ssl.key.location = {tmp_path}/none.key in line 3, which cannot be read: No such file"
        in str(refused.value)
    )
    file.write_text("ssl.ca.location=probe\n")
    assert read_properties(str(file)) == {"ssl.ca.location": "probe"}


@pytest.mark.parametrize(
    ("text", "reported"),
    [
        ("acks=1", "sets acks in line 1"),
        ("# x\ntransactional.id=secret", "sets transactional.id in line 2"),
        ("isolation.level=read_uncommitted", "isolation.level"),
        ("a line", "no `name=value` in line 1"),
    ],
)
def test_what_the_program_rests_on_cannot_be_set(tmp_path: Path, text: str, reported: str) -> None:
    file = tmp_path / "client.properties"
    file.write_text(text)
    with pytest.raises(SettingsError, match=reported) as refused:
        read_properties(str(file))
    assert "secret" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        read_properties(str(tmp_path / "none"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(SettingsError, match="not UTF-8"):
        read_properties(str(tmp_path / "binary"))


def test_an_access_does_not_print_its_password() -> None:
    assert "pass word" not in repr(Access(parse_address("kafka://a"), "me", Secret("pass word")))
