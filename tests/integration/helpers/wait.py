# SPDX-License-Identifier: MIT
"""Waiting for something to become true, and for how much of it."""

import os
import time

PATIENCE = 30.0


def until(condition, what, timeout=PATIENCE, interval=0.005):
    """Returns the first true value of condition(); fails by name at the deadline."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:.0f} s for {what}")
        time.sleep(interval)


def scaled(count, least=1):
    """A workload, shrunk by BLOBSTREAM_TEST_SCALE for slow (sanitizer) builds."""
    return max(least, int(count * float(os.environ.get("BLOBSTREAM_TEST_SCALE", "1"))))
