import resource
import signal

import pytest

from manybody.parallel import signals
from manybody.parallel.signals import SIGNALS, StopRequest, listen_early
from manybody.system.limits import too_little_address_space


@pytest.fixture
def handlers():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)
    signals._early.clear()


@pytest.mark.parametrize("order", [SIGNALS, SIGNALS[::-1]])
def test_the_first_signal_is_the_one_that_counts(order, handlers):
    with StopRequest() as stop:
        assert stop() == ""
        for number in order:
            signal.raise_signal(number)
        assert stop() == order[0].name
    assert {number: signal.getsignal(number) for number in SIGNALS} == handlers


@pytest.mark.parametrize("order", [SIGNALS, SIGNALS[::-1]])
def test_what_came_before_anybody_asked_counts_once(order, handlers):
    listen_early()
    for number in order:
        signal.raise_signal(number)
    with StopRequest() as stop:
        assert stop() == order[0].name
    with StopRequest() as again:
        assert again() == ""


@pytest.mark.parametrize(
    ("limit", "refused"),
    [(resource.RLIM_INFINITY, False), (1 << 30, False), ((1 << 30) - 1, True), (0, True)],
)
def test_address_space_has_a_least_size(limit, refused, monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, resource.RLIM_INFINITY))
    assert ("at least 1024 MiB are needed" in too_little_address_space()) == refused
