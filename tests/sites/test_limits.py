"""Limits are read from the machine, not guessed."""

import gc
import resource

from engine.sites.limits import (
    keep_from_cycle_search,
    look_for_cycles_in_short_steps,
    raise_descriptors,
    resident_bytes,
    share_of_group,
)


def test_memory_is_reported_in_bytes() -> None:
    assert 1 << 20 < resident_bytes() < 1 << 40
    assert share_of_group() >= 0


def test_the_process_may_open_as_many_files_as_allowed() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        raise_descriptors()
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_permanent_objects_are_excluded_from_cycle_collection() -> None:
    before = gc.get_threshold()
    try:
        look_for_cycles_in_short_steps()
        assert gc.get_threshold() < before or gc.get_threshold()[0] == 10_000
        keep_from_cycle_search()
        assert gc.get_freeze_count() > 0
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
