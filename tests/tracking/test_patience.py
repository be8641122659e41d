from __future__ import annotations

import pytest

from cgl_ignite.tracking import StillDown, TrackerError, UnknownRun
from cgl_ignite.tracking.guard import Guard
from cgl_ignite.tracking.patience import BUDGET_SECONDS, Patience


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def patience(clock):
    return Patience(clock)


def failing(clock, seconds, error=TrackerError):
    def call():
        clock.now += seconds
        raise error("no answer")

    return call


def attempt(patience, call):
    with pytest.raises(TrackerError) as caught:
        patience.call(call)
    return caught.type


def test_a_store_that_failed_slowly_is_left_alone_for_twenty_times_as_long(clock, patience):
    assert attempt(patience, failing(clock, 10.0)) is TrackerError
    assert attempt(patience, lambda: pytest.fail("it was called")) is StillDown
    clock.now = 10.0 + 199.0
    assert attempt(patience, lambda: pytest.fail("it was called")) is StillDown
    clock.now = 10.0 + 201.0
    assert patience.call(lambda: "answer") == "answer"


def test_a_store_that_failed_quickly_is_tried_with_the_next_call(clock, patience):
    attempt(patience, failing(clock, 0.1))
    assert attempt(patience, failing(clock, 0.1)) is StillDown
    assert patience.call(lambda: "answer") == "answer"
    assert attempt(patience, failing(clock, 0.1)) is TrackerError


def test_all_waiting_ends_with_the_budget_but_for_one_try_at_the_end_of_each_run(clock, patience):
    """However often a store fails, and however long each failure takes."""
    for _ in range(100):
        attempt(patience, failing(clock, 12.0))
        clock.now += 1000.0
    assert BUDGET_SECONDS <= patience.waited <= BUDGET_SECONDS + 12.0
    before = patience.waited
    patience.renew()
    for _ in range(3):
        attempt(patience, failing(clock, 12.0))
    assert patience.waited == before + 12.0


def test_a_store_that_lacks_a_run_has_answered(clock, patience):
    attempt(patience, failing(clock, 10.0))
    patience.renew()
    assert attempt(patience, failing(clock, 0.1, UnknownRun)) is UnknownRun
    assert patience.call(lambda: "answer") == "answer"


def test_one_outage_is_one_warning_however_many_ask(clock, patience):
    told = []
    guards = [Guard(told.append, clock) for _ in range(3)]
    for guard in guards:
        guard.attempt("sending", lambda: patience.call(failing(clock, 0.1)))
    assert told == ["tracking: sending failed, training goes on and tries again later: no answer"]
    for guard in guards:
        assert guard.attempt("sending", lambda: patience.call(lambda: "answer")) == "answer"
    assert told[1:] == ["tracking: the store answers again"]
