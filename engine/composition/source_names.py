"""Checks that `source.uri` names a source, and makes the errors for a missing source or token."""

from engine.errors import SettingsError
from engine.settings.text import FILE_SCHEMES, WEBSOCKET_SCHEMES, looks_like_path

RECORDS_URI = "records"  # the source that reads the records replica, when Home Assistant is gone


def check_source(uri: str) -> None:
    """Raises SettingsError when a `source.uri` names no source, before anything is opened."""
    if uri.partition(":")[0] not in (*WEBSOCKET_SCHEMES, *FILE_SCHEMES) and uri != RECORDS_URI:
        raise no_source(uri)


def no_source(uri: str) -> SettingsError:
    """The error where `source.uri` names no source."""
    if uri and ":" not in uri and looks_like_path(uri):
        form = "backup" if uri.endswith(".tar") else "storage"
        return SettingsError(
            f"Setting source.uri = {uri} does not name a kind of source.",
            f"For {'a backup' if form == 'backup' else 'a configuration folder'} write {form}:{uri}.",
        )
    # Only the part before the colon: the rest may contain a password.
    shown = f"{uri.partition(':')[0]}:..." if ":" in uri else uri
    what = f"Setting source.uri = {shown} names no source" if uri else "No source is set"
    return SettingsError(
        f"{what}.",
        "Set source.uri (--source, RECONCILE_SOURCE__URI) to ws://HOST:8123 of your Home Assistant, "
        "or to storage:DIR, backup:FILE.tar, capture:DIR, or records.",
    )


def no_token() -> SettingsError:
    """The error where Home Assistant is the source and no token is set."""
    return SettingsError(
        "No access token is set.",
        "Make a long-lived access token in Home Assistant (profile, security; a read-only user's will do) and "
        "name its file in source.token_file (RECONCILE_SOURCE__TOKEN_FILE), or set RECONCILE_SOURCE__TOKEN.",
    )
