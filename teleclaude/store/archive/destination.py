"""The file a backup is written to: nobody else's to read, there only when it is complete."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, Final

from teleclaude.errors import BackupError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED: Final = {errno.EACCES, errno.EPERM, errno.EROFS}
_MISSING: Final = {errno.ENOENT, errno.ENOTDIR}


def partial_of(destination: Path) -> Path:
    """Name the file that becomes the destination when it is complete."""
    return destination.with_name(f"{destination.name}.partial")


def require_new(destination: Path) -> None:
    """Make sure that a file can be made, and is not there.

    Args:
        destination: The file.

    Raises:
        BackupError: It is there, or its directory is not, or cannot be written to.
    """
    with _explained(destination), _begun(destination):
        partial_of(destination).unlink()


@contextmanager
def new_file(destination: Path) -> Iterator[BinaryIO]:
    """Write a file under another name; it gets its own at the end of the block.

    Args:
        destination: The file.

    Yields:
        What to write to.

    Raises:
        BackupError: The file is there already, or cannot be written.
    """
    with _explained(destination), _begun(destination) as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
        _refuse_existing(destination)
        _require_own(file.fileno(), destination)
        partial_of(destination).rename(destination)
        sync_directory(destination)


def sync_directory(file: Path) -> None:
    """Make a name last, even if the machine loses its power now."""
    directory = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def _begun(destination: Path) -> Iterator[BinaryIO]:
    _refuse_existing(destination)
    partial = partial_of(destination)
    descriptor = os.open(partial, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        _lock(descriptor, destination)
        # What a killed backup left is of no use, and may have been made with other permissions.
        os.fchmod(descriptor, 0o600)
        file.truncate()
        try:
            yield file
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _lock(descriptor: int, destination: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _another(destination) from None
    _require_own(descriptor, destination)


def _require_own(descriptor: int, destination: Path) -> None:
    """Make sure that the name belongs to the file that was opened, and not to somebody else's."""
    try:
        found = partial_of(destination).lstat()
    except FileNotFoundError:
        raise _another(destination) from None
    if not os.path.samestat(found, os.fstat(descriptor)):
        raise _another(destination)


def _another(destination: Path) -> BackupError:
    message = f"Another backup is being written to {destination}."
    return BackupError(message, hint="Wait for it, or name another file.")


def _refuse_existing(destination: Path) -> None:
    # A link that leads nowhere is there, too.
    if os.path.lexists(destination):
        message = f"The file {destination} exists already."
        raise BackupError(message, hint="Name another one, or move it away; nothing was written.")


@contextmanager
def _explained(destination: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _explanation(destination, error) from error


def _explanation(destination: Path, error: OSError) -> BackupError:
    directory = destination.parent
    if error.errno in _FULL:
        message = f"There is no space in {directory} for the backup {destination}."
        return BackupError(message, hint="Free some space, or name a file elsewhere.")
    if error.errno in _DENIED:
        message = f"The backup {destination} cannot be written: {directory} refuses access."
        return BackupError(message, hint="Correct its permissions, or name a file elsewhere.")
    if error.errno in _MISSING:
        message = f"There is no directory {directory} for the backup {destination}."
        return BackupError(message, hint="Make it first, or correct the path.")
    message = f"The backup {destination} cannot be written: {error.strerror or error}."
    return BackupError(message, hint="Check the disk, or name a file elsewhere.")
