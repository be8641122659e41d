from __future__ import annotations

import logging

import pytest

from cgl_ignite.tracking import TrackerError
from cgl_ignite.tracking.guard import Guard, warn_by_log


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def failing(clock, seconds):
    def call():
        clock.now += seconds
        raise TrackerError("no answer")

    return call


def test_a_slow_failure_is_not_tried_again_at_once():
    clock = Clock()
    guard = Guard(lambda text: None, clock)
    assert guard.attempt("sending", failing(clock, 10.0)) is None
    assert not guard.due
    clock.now = 10.0 + 200.0
    assert guard.due


def test_a_quick_failure_is_tried_again_with_the_next_epoch():
    clock = Clock()
    guard = Guard(lambda text: None, clock)
    guard.attempt("sending", failing(clock, 0.01))
    clock.now += 1.0
    assert guard.due


def test_other_errors_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        Guard(warn_by_log).attempt("counting", lambda: 1 / 0)


def test_warnings_go_to_the_log_of_the_package(caplog):
    with caplog.at_level(logging.WARNING, "cgl_ignite"):
        Guard(warn_by_log).attempt("sending", failing(Clock(), 0.0))
    assert caplog.messages == ["tracking: sending failed, training goes on and tries again later: no answer"]
