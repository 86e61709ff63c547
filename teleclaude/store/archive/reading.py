"""Reading an archive from its beginning, a few lines at a time, believing nothing."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, Final, NamedTuple

from teleclaude.errors import BackupError
from teleclaude.store.archive import lines
from teleclaude.store.archive.sealing import SEAL_SIZE, seal, seal_line
from teleclaude.store.transfer.reading import MOST_ROWS
from teleclaude.store.transfer.verification import has_ids

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Table

GZIP: Final = b"\x1f\x8b"
"""How every archive begins (RFC 1952, section 2.3.1)."""

_BLOCK: Final = 1 << 20
"""Bytes hashed at once."""

_SIZE: Final = 4_000_000
"""Bytes of lines that are taken at once, as far as more than one is."""

_LONGEST: Final = 1 << 30
"""Bytes a line has at most: no engine known keeps a row that makes a longer one."""

NOTHING: Final = "Nothing was written. Use another backup."
"""What to do about an archive that cannot be used."""


def damaged(file: Path, what: str) -> BackupError:
    """Give the error for an archive that is not as it was written.

    Args:
        file: The archive.
        what: What is wrong, the end of a sentence.
    """
    return BackupError(f"The archive {file} cannot be used: {what}.", hint=NOTHING)


class TableEnd(NamedTuple):
    """What an archive says of a table behind its rows.

    Attributes:
        rows: Their number.
        sha256: The hash of their lines.
        last_id: The highest id that is used up; `None` where the table has no ids.
    """

    rows: int
    sha256: str
    last_id: int | None


async def check_seal(stream: BinaryIO, file: Path) -> str:
    """Make sure that every byte is the one that was written.

    Args:
        stream: The archive, open.
        file: Its name, for the error.

    Returns:
        The hash of all bytes, in hexadecimal digits.

    Raises:
        BackupError: The archive was cut off, or something in it was changed.
    """
    size = stream.seek(0, 2) - SEAL_SIZE
    stream.seek(0)
    digest = sha256()
    while size > 0 and (block := stream.read(min(size, _BLOCK))):
        digest.update(block)
        size -= len(block)
        await asyncio.sleep(0)
    if size < 0 or stream.read() != seal(digest.hexdigest()):
        raise damaged(file, "it is not complete, or was altered")
    return digest.hexdigest()


class ArchiveReader:
    """Reads an archive once, table by table.

    Attributes:
        done: How many tables have been begun or passed.
    """

    def __init__(self, stream: BinaryIO, file: Path) -> None:
        """Begin at the beginning.

        Args:
            stream: The archive, open.
            file: Its name, for errors.
        """
        stream.seek(0)
        self._file = file
        self._gzip = gzip.GzipFile(fileobj=stream, mode="rb")
        self._whole = sha256()
        self._table: _TableState | None = None
        self.done = 0

    def header(self) -> Mapping[str, object]:
        """Read the first line."""
        return self._document(self._line())

    def begin_table(self, table: Table) -> int:
        """Read the line before a table.

        Returns:
            How many rows will follow.
        """
        text = self._line()
        rows = self._document(text).get("rows")
        if not isinstance(rows, int) or text != lines.beginning(table, rows):
            raise damaged(self._file, f"the table {table.name} is not where it should be")
        self._table = _TableState()
        self.done += 1
        return rows

    def rows(self, most: int = MOST_ROWS) -> Sequence[bytes]:
        """Read the next lines of the table.

        Args:
            most: How many at most.

        Returns:
            The lines; none at the end of the table.
        """
        state = self._state
        found: list[bytes] = []
        size = 0
        while len(found) < most and size < _SIZE and state.end is None:
            text = self._line()
            if text.startswith(b"["):
                found.append(text)
                size += len(text)
            else:
                state.end = text
        state.rows += len(found)
        state.hash.update(b"".join(found))
        return found

    def end_table(self, table: Table) -> TableEnd:
        """Check the line after a table that was read to its end.

        Args:
            table: The table.

        Returns:
            What it says.
        """
        state = self._state
        text = state.end or b""
        last_id = self._document(text).get("last_id")
        right = isinstance(last_id, int) and last_id >= 0 if has_ids(table) else last_id is None
        known = last_id if isinstance(last_id, int) else None
        end = TableEnd(state.rows, state.hash.hexdigest(), known)
        if not right or text != lines.closing(table, *end):
            raise damaged(self._file, f"the rows of {table.name} are not those that were written")
        return end

    def end(self, sealed: str) -> None:
        """Check what follows the last table.

        Args:
            sealed: The hash of the seal.
        """
        expected = lines.line({"sha256": self._whole.hexdigest()})
        if self._line() != expected or self._line() != seal_line(sealed):
            raise damaged(self._file, "its end is not the one that was written")
        with self._readable():
            if self._gzip.read(1):
                raise damaged(self._file, "something follows its end")

    @property
    def _state(self) -> _TableState:
        assert self._table is not None  # noqa: S101 - a table was begun
        return self._table

    def _line(self) -> bytes:
        with self._readable():
            text = self._gzip.readline(_LONGEST)
        if not text.endswith(b"\n"):
            raise damaged(self._file, "it ends in the middle")
        self._whole.update(text)
        return text

    def _document(self, text: bytes) -> Mapping[str, object]:
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise damaged(self._file, "a line is not what it should be")
        return document

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise damaged(self._file, "it is not complete, or was altered") from error


class _TableState:
    """How much of a table was read."""

    def __init__(self) -> None:
        self.rows = 0
        self.hash = sha256()
        self.end: bytes | None = None
