"""A service raises its limit of open files as far as allowed, and reports a limit that is too low."""

import resource

import pytest

from engine.errors import SettingsError
from engine.process.open_files import FILES_MIN, raise_file_limit


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Soft and hard limit as they stand; tests set the first, and what is set is appended."""
    found = [(256, 4096)]
    monkeypatch.setattr(resource, "getrlimit", lambda _which: found[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _which, limit: found.append(limit))
    return found


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((256, 4096), (1024, 4096)),
        ((256, 512), (512, 512)),
        ((256, resource.RLIM_INFINITY), (1024, resource.RLIM_INFINITY)),
        ((4096, 4096), (4096, 4096)),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
        ((FILES_MIN, FILES_MIN), (FILES_MIN, FILES_MIN)),
    ],
)
def test_the_soft_limit_is_raised_as_far_as_it_may(
    limits: list[tuple[int, int]], before: tuple[int, int], after: tuple[int, int]
) -> None:
    limits[:] = [before]
    raise_file_limit()
    assert limits[-1] == after


def test_too_few_are_refused_with_the_settings_that_raise_them(limits: list[tuple[int, int]]) -> None:
    limits[:] = [(16, FILES_MIN - 1)]
    with pytest.raises(SettingsError, match="may open 31 files at once, and a service needs 32") as caught:
        raise_file_limit()
    assert "LimitNOFILE=1024" in caught.value.hint
