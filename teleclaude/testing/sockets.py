"""Breaking the connections of this process, whatever the engine and the driver are.

A connection to a server is a socket. Shutting it down is what a pulled cable or a killed server
looks like from here: no goodbye, and what was sent last may have arrived or not.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Final

_DESCRIPTORS: Final = Path("/dev/fd")


def connected_sockets() -> set[int]:
    """Find the inodes of this process's sockets that have somebody at the other end."""
    return {os.fstat(descriptor).st_ino for descriptor in _descriptors() if _has_peer(descriptor)}


def break_connections(*, except_for: set[int]) -> int:
    """Shut down the connections of this process.

    Args:
        except_for: What `connected_sockets` found before those were made that are to be broken.

    Returns:
        How many were broken.
    """
    count = 0
    for descriptor in _descriptors():
        with suppress(OSError):
            if _has_peer(descriptor) and os.fstat(descriptor).st_ino not in except_for:
                with closing(socket.socket(fileno=os.dup(descriptor))) as connection:
                    connection.shutdown(socket.SHUT_RDWR)
                count += 1
    return count


def _descriptors() -> list[int]:
    return [int(entry.name) for entry in _DESCRIPTORS.iterdir()]


def _has_peer(descriptor: int) -> bool:
    with suppress(OSError):
        if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            with closing(socket.socket(fileno=os.dup(descriptor))) as connection:
                return bool(connection.getpeername())  # a pair of sockets has no names
    return False
