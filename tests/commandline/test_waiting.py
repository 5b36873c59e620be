"""Waits of threads end in time, and see what happened before and meanwhile."""

import os
import threading

from engine.commandline.waiting import Moment, ends_within


def test_what_happened_is_seen_at_once() -> None:
    moment = Moment()
    moment.happen()
    moment.happen()
    assert moment.wait(3600)
    moment.close()


def test_what_does_not_happen_is_waited_for_no_longer() -> None:
    assert not Moment().wait(0)


def test_what_happens_meanwhile_ends_the_wait() -> None:
    moment = Moment()
    thread = threading.Thread(target=moment.happen)
    thread.start()
    assert moment.wait(60)
    assert ends_within(thread, 60)
    moment.close()


def test_a_thread_that_goes_on_is_left_alone() -> None:
    seen, happened = os.pipe()
    thread = threading.Thread(target=os.read, args=(seen, 1))
    thread.start()
    assert not ends_within(thread, 0)
    os.write(happened, b"x")
    assert ends_within(thread, 60)
    os.close(seen)
    os.close(happened)
