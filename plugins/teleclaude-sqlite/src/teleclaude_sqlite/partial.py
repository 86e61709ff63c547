"""The file a copy is written to until it is complete, and what killed processes left of theirs.

Whoever writes a copy shares a lock on its directory, which the kernel takes back when the process
ends. Whoever has that lock alone knows that all partial copies there are left over. The file itself
is not locked, because some systems would take that for a lock of SQLite's.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from teleclaude.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX: Final = ".partial"
_BESIDE: Final = ("", "-journal", "-wal", "-shm")
"""The file, and what SQLite keeps beside it. A journal would even be applied to the next copy."""


@contextmanager
def new_partial(destination: Path, beginning: str) -> Iterator[Path]:
    """Make the file that becomes a copy; without being renamed, it does not outlive the block.

    Args:
        destination: The copy.
        beginning: How the names of copies begin whose left-overs are removed, too.

    Yields:
        The file, empty and only the owner's.

    Raises:
        StoreError: Another process is writing the same copy.
        OSError: The file cannot be made.
    """
    partial = destination.with_name(f"{destination.name}{_SUFFIX}")
    with _shared(partial, beginning):
        try:
            os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError as error:
            message = f"Another backup is being written to {destination}."
            hint = f"Wait for it, or name another file; if there is none, remove {partial}."
            raise StoreError(message, hint=hint) from error
        try:
            yield partial
        except BaseException:
            _remove(partial)
            raise


@contextmanager
def _shared(partial: Path, beginning: str) -> Iterator[None]:
    """Share the lock of a directory; who has it alone for a moment removes what is left over."""
    try:
        descriptor = os.open(partial.parent, os.O_RDONLY)
    except OSError:
        yield  # what is wrong is said when the file is made
        return
    try:
        # A file system that has no such locks is none on which anything could be removed.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove_left_over(partial, beginning)
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def _remove_left_over(partial: Path, beginning: str) -> None:
    _remove(partial)
    for file in partial.parent.iterdir():
        if file.name.startswith(beginning) and file.name.endswith(_SUFFIX):
            _remove(file)


def _remove(partial: Path) -> None:
    for suffix in _BESIDE:
        partial.with_name(f"{partial.name}{suffix}").unlink(missing_ok=True)
