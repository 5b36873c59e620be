"""`reconcile config show`: every setting, its value, and where it comes from. Secrets show as ***."""

import msgspec

from engine.commandline.arguments.arguments import Arguments
from engine.commandline.arguments.loading import load
from engine.commandline.exit_codes import OK
from engine.commandline.output import emit_json, emit_text
from engine.commandline.text.safe_text import value_text, without_secrets
from engine.core.records.record import Json
from engine.core.state.report import SCHEMA_VERSION
from engine.settings.sections import LoadedSettings, documented_settings

_SECRET = "a secret, from its file or the environment, never shown"  # noqa: S105 (says what it is)


class ShownSetting(msgspec.Struct, frozen=True):
    """One setting in effect."""

    name: str
    value: Json
    origin: str  # default, flag, environment, or the file's path
    default: Json
    description: str


class ShownSettings(msgspec.Struct, frozen=True):
    """The output of `config show --json`."""

    schema_version: int
    settings: tuple[ShownSetting, ...]


def run_config_show(arguments: Arguments) -> int:
    """Print the settings. Raises SettingsError when they are invalid."""
    shown = show_settings(load(arguments))
    if arguments.format == "json":
        emit_json(msgspec.json.encode(shown))
    else:
        emit_text(render_settings(shown))
    return OK


def show_settings(loaded: LoadedSettings) -> ShownSettings:
    """All settings in file order, then the secrets without their values."""
    settings = []
    for setting in documented_settings():
        section, _, key = setting.name.partition(".")
        value = getattr(getattr(loaded.settings, section), key)
        if isinstance(value, str):
            value = without_secrets(value)
        origin = loaded.origins.get(setting.name, "default")
        settings.append(ShownSetting(setting.name, value, origin, setting.default, setting.description))
    secrets = [
        ShownSetting(name, "***" if secret else None, loaded.secret_origins[name], None, _SECRET)
        for name, secret in loaded.secrets.items()
    ]
    return ShownSettings(SCHEMA_VERSION, (*settings, *secrets))


def render_settings(shown: ShownSettings) -> str:
    """One line per setting; it ends with a newline."""
    lines = []
    for setting in shown.settings:
        value = "***" if setting.value == "***" else value_text(setting.value)
        lines.append(f"{setting.name} = {value}  ({without_secrets(setting.origin)})")
    return "\n".join(lines) + "\n"
