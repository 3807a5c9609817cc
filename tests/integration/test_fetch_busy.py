# SPDX-License-Identifier: MIT
"""Servers that say they are busy: asked less, and not before the time they name."""

import email.utils
import time

import pytest

from helpers.badserver import BadServer
from helpers.fetching import MIB, REFUSED, assert_failed, assert_fetched, content, fetch

FILE = content(8 * MIB)
SMALL_PIECES = ["--min-split-size", "64KiB"]
HEARD = 0.3  # until a refusal has stopped every connection


@pytest.fixture
def directory(workspace):
    path = workspace / "fetched"
    path.mkdir()
    return path


class BusyServer(BadServer):
    """Refuses the calls with these numbers, and serves the others slowly: at `pace`,
    until the first refusal is over."""

    def __init__(self, refuse, status=503, retry_after=lambda: "1", pace=4 * MIB):
        super().__init__(FILE, self._serve)
        self.refuse, self.status, self.retry_after = refuse, status, retry_after
        self.pace = pace
        self.at_once = []  # how many calls there were when each began
        self.ended = []

    def _serve(self, call):
        self.at_once.append((call.time, self.active["now"]))
        if call.number in self.refuse:
            call.answer(self.status, {"Retry-After": self.retry_after()}, b"later")
        else:
            call.serve(pace=self.pace if call.number <= 16 else 4 * MIB)
            self.ended.append(time.monotonic())

    @property
    def refused(self):
        return [call.time for call in self.calls if call.number in self.refuse]

    def most_between(self, begin, end):
        return max(now for at, now in self.at_once if begin < at < end)


def in_three_seconds():
    return email.utils.formatdate(time.time() + 3, usegmt=True)


@pytest.mark.parametrize(
    "status, seconds, retry_after",
    [(429, 1, lambda: "1"), (503, 2, in_three_seconds)],
    ids=["429", "503-date"],
)
def test_nobody_asks_before_the_time_the_server_names(
    directory, status, seconds, retry_after
):
    with BusyServer({12}, status, retry_after, pace=MIB // 2) as server:
        outcome = fetch(directory, *SMALL_PIECES, server.url)
    assert_fetched(outcome, directory, FILE)
    (refused,) = server.refused
    free = [at for at in server.ended if refused + HEARD < at < refused + seconds]
    assert free, "nobody was free to ask"
    later = [call.time for call in server.calls if call.time > refused + HEARD]
    assert refused + seconds <= min(later) < refused + seconds + 3


def test_refusals_halve_the_connections_and_count_once_when_together(directory):
    with BusyServer({12, 13, 14, 24, 32}) as server:
        outcome = fetch(directory, *SMALL_PIECES, server.url)
    assert_fetched(outcome, directory, FILE)
    assert outcome.result["retries"] == 5
    *together, second, third = server.refused
    assert server.most_between(0, together[0]) == 8
    assert server.most_between(together[-1] + HEARD, second) == 4
    assert server.most_between(second + HEARD, third) == 2
    assert server.most_between(third + HEARD, float("inf")) == 1


def test_server_that_is_busy_from_the_start_is_waited_for(directory):
    with BusyServer({1}, pace=64 * MIB) as server:
        outcome = fetch(directory, server.url)
    assert_fetched(outcome, directory, FILE)
    assert server.calls[1].time - server.calls[0].time >= 1
    assert server.most_between(0, float("inf")) == 4


def test_last_try_does_not_wait(directory):
    with BusyServer(range(1, 100), retry_after=lambda: "60") as server:
        outcome = fetch(directory, "--max-tries", 1, server.url)
    assert_failed(outcome, directory, REFUSED)
    assert outcome.result["elapsed_ms"] < 1000
