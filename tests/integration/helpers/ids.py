# SPDX-License-Identifier: MIT
"""Ids for blobs: random ones, and time-ordered ones of any chosen hour."""

import datetime
import random
import uuid


def v4():
    return str(uuid.uuid4())


def v7(when="2026-11-21T18:23:02"):
    """A version 7 UUID of this UTC time."""
    moment = datetime.datetime.fromisoformat(when).replace(tzinfo=datetime.timezone.utc)
    bits = int(moment.timestamp() * 1000) << 80 | random.getrandbits(80)
    bits = bits & ~(0xF << 76) | 0x7 << 76
    bits = bits & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=bits))


def hour_of(blob_id):
    """The shard of a version 7 UUID: its hour, UTC."""
    milliseconds = uuid.UUID(blob_id).int >> 80
    moment = datetime.datetime.fromtimestamp(milliseconds / 1000, datetime.timezone.utc)
    return moment.strftime("%Y-%m-%dT%H")


def shard_of(blob_id):
    if uuid.UUID(blob_id).version == 7:
        return hour_of(blob_id)
    return f"other/{blob_id[-2:]}"
