"""The keys of the advisory locks TeleClaude takes, in one place so that they never collide."""

from __future__ import annotations

import zlib
from typing import Final

NAMESPACE: Final = 0x7465636C
"""The first half of every key: "tecl" in ASCII, so that it is recognised in `pg_locks.classid`."""


def advisory_key(name: str) -> tuple[int, int]:
    """Give the two 32-bit halves of the key of a named lock.

    Args:
        name: What is locked, such as `daemon`.

    Returns:
        The arguments of `pg_advisory_lock(int, int)`; both are positive, so that they appear
        unchanged in `pg_locks`, whose columns are unsigned.
    """
    return NAMESPACE, zlib.crc32(name.encode()) & 0x7FFFFFFF
