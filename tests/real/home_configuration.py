"""What a test's Home Assistant is configured with: `configuration.yaml`, packages, and the address it listens on.

The address is YAML in 2024.3. In 2026.11 it is `.storage/http`, and one from YAML is a trial that ends in a restart
after five minutes (components/http/config.py, seen 2026-11-28).
"""

import json
from pathlib import Path

_CONFIGURATION = """\
homeassistant:
  name: Test home
  time_zone: UTC
logger:
  default: warning
  logs:
    haffmpeg: critical  # demo asks for ffmpeg, gets none, and does not need it
demo:
"""
_HTTP = """\
http:
  server_host: 127.0.0.1
  server_port: {port}
"""
# Not YAML, which is how users most often get into recovery mode.
_BROKEN = "\nbroken: [\n"


class HomeConfiguration:
    """The files of one config directory; they are there after `write`."""

    def __init__(self, config_dir: Path, port: int) -> None:
        self._config_dir = config_dir
        self._port = port
        self._packages = ""
        self.file = config_dir / "configuration.yaml"

    def write(self, version: str, *, broken: bool = False) -> None:
        """Write all files for this version of Home Assistant, replacing another version's."""
        text = _CONFIGURATION.replace("homeassistant:\n", f"homeassistant:\n{self._packages}", 1)
        if version.startswith("2024."):
            text += _HTTP.format(port=self._port)
        else:
            self._write_address()
        self.file.write_text(text + (_BROKEN if broken else ""))

    def add_package(self, name: str, text: str) -> None:
        """Let the configuration have a package of this name, from the next `write` on."""
        folder = self._config_dir / "packages"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
        self._packages = "  packages: !include_dir_named packages\n"

    def _write_address(self) -> None:
        listening = {
            "server_host": ["127.0.0.1"],
            "server_port": self._port,
            "cors_allowed_origins": [],
            "login_attempts_threshold": -1,
            "ip_ban_enabled": True,
            "ssl_profile": "intermediate_v6",
            "use_x_frame_options": True,
            "created_at": "2026-11-23T00:00:00+00:00",
            "error": None,
            "error_message": None,
        }
        data = {"stable": listening, "pending": None, "yaml_migration_done": True}
        file = self._config_dir / ".storage" / "http"
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps({"version": 3, "minor_version": 1, "key": "http", "data": data}))
        file.chmod(0o600)
