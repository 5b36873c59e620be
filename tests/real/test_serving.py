"""The service as a process behind a real Home Assistant: one rename, seen everywhere a user looks."""

import json
import threading
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.real.home_assistant import HomeAssistant
from tests.service_process import Service, get, poll, wait_until

pytestmark = pytest.mark.real_server


class Stream:
    """The change stream, read by a thread as a browser would."""

    def __init__(self, address: str) -> None:
        self._answer = urllib.request.urlopen(f"{address}/api/changes/stream", timeout=120)
        self.changes: list[dict[str, Any]] = []
        self._arrived = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def close(self) -> None:
        """Let go of the connection once the service has ended the stream."""
        self._reader.join(timeout=60)
        self._answer.close()

    def _read(self) -> None:
        for line in self._answer:
            if line.startswith(b"data: ") and b"seq" in line:
                with self._arrived:
                    self.changes.append(json.loads(line.removeprefix(b"data: ")))
                    self._arrived.notify_all()

    def wait_for(self, field: str, value: object) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            return next((c for c in self.changes if (c["after"] or {}).get(field) == value), None)

        with self._arrived:
            assert self._arrived.wait_for(lambda: found() is not None, timeout=60), self.changes
        change = found()
        assert change is not None
        return change


def test_a_rename_is_in_the_rows_in_the_history_and_on_the_stream(
    home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(home_assistant.read_only_token())
    service = Service(tmp_path, source=home_assistant.url, RECONCILE_SOURCE__TOKEN_FILE="token")
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")
        stream = Stream(address)
        update = "config/entity_registry/update"
        home_assistant.command(update, entity_id="light.bed_light", name="Seen everywhere")
        try:
            change = stream.wait_for("name", "Seen everywhere")
            assert (change["op"], change["registry"], change["cause"]) == ("u", "entity", "pending")
            assert get(address, "/api/entities/light.bed_light")["name"] == "Seen everywhere"
            assert get(address, "/api/status")["status"] in ("in_sync", "out_of_sync")
            poll(address, "/api/status", "in_sync")
            device = get(address, "/api/entities/light.bed_light")["device_id"]
            assert get(address, f"/api/devices/{device}/history")
        finally:
            home_assistant.command(update, entity_id="light.bed_light", name=None)
        code, said = service.stop()
        stream.close()
        assert code == 0
        assert home_assistant.token not in said
        assert home_assistant.read_only_token() not in said
    finally:
        service.process.kill()


def test_the_watermark_of_a_read_only_user_moves_with_heartbeats_and_not_with_full_reads(
    home_assistant: HomeAssistant, tmp_path: Path
) -> None:
    """2024.3 to 2024.7 do not let such a user follow everything; with full reads alone an alert would call it a hang."""
    (tmp_path / "token").write_text(home_assistant.read_only_token())
    service = Service(
        tmp_path,
        source=home_assistant.url,
        RECONCILE_SOURCE__TOKEN_FILE="token",
        RECONCILE_LOOP__RELIST_SECONDS="3600",
        RECONCILE_LOOP__VERIFY_SECONDS="3600",
        RECONCILE_LOOP__HEARTBEAT_SECONDS="1",
    )
    try:
        address = service.wait_until_serving()
        poll(address, "/api/status", "in_sync")

        def synced() -> list[str]:
            return [replica["synced_at"] for replica in get(address, "/api/status")["replicas"]]

        seen = [synced()]

        def has_moved() -> bool:
            now = synced()
            if all(later > earlier for later, earlier in zip(now, seen[-1], strict=True)):
                seen.append(now)
            return len(seen) > 3

        wait_until(has_moved, f"three times later than {seen[0]}")
        assert service.stop()[0] == 0
    finally:
        service.process.kill()
