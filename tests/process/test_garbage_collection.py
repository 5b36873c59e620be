"""The cycle collector: off or rare inside the block, and restored after it in every case."""

import gc

import pytest

from engine.process.garbage_collection import rare_garbage_collection, without_garbage_collection


def test_it_is_off_inside_and_on_again_after_a_failure() -> None:
    def fail() -> None:
        with without_garbage_collection():
            assert not gc.isenabled()
            raise ZeroDivisionError

    assert gc.isenabled()
    with pytest.raises(ZeroDivisionError):
        fail()
    assert gc.isenabled()


def test_who_had_it_off_keeps_it_off() -> None:
    gc.disable()
    try:
        with without_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_service_searches_seldom_but_does() -> None:
    before = gc.get_threshold()
    with rare_garbage_collection():
        assert gc.isenabled()
        assert gc.get_threshold()[0] > before[0]
    assert gc.get_threshold() == before


def test_a_service_searches_also_where_a_command_would_not() -> None:
    with without_garbage_collection():
        with rare_garbage_collection():
            assert gc.isenabled()
        assert not gc.isenabled()
