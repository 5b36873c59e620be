"""Resolves the paths of many files in few folders cheaply. It only reads."""

import os


def real_path(place: str, folders: dict[str, str]) -> str:
    """As `os.path.realpath`, without checking every folder again for each file; `folders` caches those just resolved."""
    if os.pardir in place.split(os.sep):  # noqa: PTH206 (asked of every home, every two seconds)
        return os.path.realpath(place)
    folder, name = os.path.split(os.path.abspath(place))  # noqa: PTH100
    if not name:
        return folder
    if folder not in folders:
        folders[folder] = real_path(folder, folders)
    path = os.path.join(folders[folder], name)  # noqa: PTH118
    return os.path.realpath(path) if os.path.islink(path) else path  # noqa: PTH114
