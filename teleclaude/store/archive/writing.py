"""Writing an archive, one line after the other."""

from __future__ import annotations

import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final

from teleclaude.store.archive import lines
from teleclaude.store.archive.sealing import seal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Table

_CHUNK: Final = 1 << 16
"""Bytes compressed at once, so that what comes out does not depend on how lines come in."""

_LEVEL: Final = 6
"""Of compression: half as fast would save a few percent."""

_GZIP: Final = zlib.MAX_WBITS | 16
"""Tells zlib to write the header and the end that `gzip` reads."""


class ArchiveWriter:
    """Writes one archive."""

    def __init__(self, file: BinaryIO) -> None:
        """Begin.

        Args:
            file: An empty file.
        """
        self._file = file
        self._sealed = sha256()
        self._whole = sha256()
        self._pending = bytearray()
        # Unlike the module `gzip`, zlib puts neither a name nor the time into the file.
        self._gzip = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def begin(self, revision: str, tables: Sequence[Table]) -> None:
        """Write the first line."""
        self._write(lines.header(revision, tables))

    def begin_table(self, table: Table, rows: int) -> None:
        """Write the line before a table."""
        self._table = sha256()
        self._write(lines.beginning(table, rows))

    def add(self, rows: Sequence[bytes]) -> None:
        """Write lines of the table."""
        text = b"".join(rows)
        self._table.update(text)
        self._write(text)

    def end_table(self, table: Table, rows: int, last_id: int | None) -> None:
        """Write the line after a table."""
        self._write(lines.closing(table, rows, self._table.hexdigest(), last_id))

    def end(self) -> None:
        """Write the last line, and the seal."""
        self._write(lines.line({"sha256": self._whole.hexdigest()}))
        self._put(self._gzip.compress(bytes(self._pending)) + self._gzip.flush())
        self._file.write(seal(self._sealed.hexdigest()))

    def _write(self, text: bytes) -> None:
        self._whole.update(text)
        self._pending += text
        whole = len(self._pending) - len(self._pending) % _CHUNK
        for start in range(0, whole, _CHUNK):
            self._put(self._gzip.compress(bytes(self._pending[start : start + _CHUNK])))
        del self._pending[:whole]

    def _put(self, compressed: bytes) -> None:
        self._sealed.update(compressed)
        self._file.write(compressed)
