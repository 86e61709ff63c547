"""The last bytes of an archive: a hash of all bytes before them.

They are a gzip member of their own, so that `gunzip` shows the hash as the last line, and are
never compressed, so that their number is known. zlib alone would not notice every changed bit:
not those of a member's header, nor those that fill up its last byte.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final

_HEADER: Final = bytes.fromhex("1f8b08000000000000ff")
"""No time, no name, no operating system (RFC 1952, section 2.3)."""

_STORED: Final = 1
"""A last block that is not compressed (RFC 1951, section 3.2.4)."""


def seal(digest: str) -> bytes:
    """Give the last bytes.

    Args:
        digest: The SHA-256 of all bytes before, in hexadecimal digits.
    """
    line = f'{{"file_sha256":"{digest}"}}\n'.encode("ascii")
    block = struct.pack("<BHH", _STORED, len(line), len(line) ^ 0xFFFF) + line
    return _HEADER + block + struct.pack("<II", zlib.crc32(line), len(line))


SEAL_SIZE: Final = len(seal("0" * 64))
"""Their number."""


def seal_line(digest: str) -> bytes:
    """Give the line that they are when unzipped."""
    return zlib.decompress(seal(digest), wbits=zlib.MAX_WBITS | 16)
