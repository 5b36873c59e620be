"""Waits of threads end in time, and notice events before and during them."""

import os
import threading

from engine.process.waiting import OneTimeEvent, ends_within


def test_an_earlier_event_ends_the_wait_at_once() -> None:
    event = OneTimeEvent()
    event.set()
    event.set()
    assert event.wait(3600)
    event.close()


def test_a_wait_ends_at_its_timeout() -> None:
    assert not OneTimeEvent().wait(0)


def test_an_event_during_the_wait_ends_it() -> None:
    event = OneTimeEvent()
    thread = threading.Thread(target=event.set)
    thread.start()
    assert event.wait(60)
    assert ends_within(thread, 60)
    event.close()


def test_a_thread_that_goes_on_is_left_alone() -> None:
    seen, happened = os.pipe()
    thread = threading.Thread(target=os.read, args=(seen, 1))
    thread.start()
    assert not ends_within(thread, 0)
    os.write(happened, b"x")
    assert ends_within(thread, 60)
    os.close(seen)
    os.close(happened)
