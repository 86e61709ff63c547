"""Refusing files that are no archive, above all those that an engine copied in its own form."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, Final

from teleclaude.backends import installed_backends, load_backend
from teleclaude.errors import BackendError, BackupError
from teleclaude.store.archive.reading import GZIP, NOTHING

if TYPE_CHECKING:
    from pathlib import Path

_BEGINNING: Final = 512
"""Bytes that an engine is shown of a file."""


def require_archive(stream: BinaryIO, file: Path) -> None:
    """Make sure that a file is an archive, at first sight.

    Args:
        stream: The file, open.
        file: Its name.

    Raises:
        BackupError: It is not. Where an installed engine made it, the hint says how it is used.
    """
    beginning = stream.read(_BEGINNING)
    if beginning.startswith(GZIP):
        return
    for installed in installed_backends():
        try:
            backend = load_backend(installed.engine)
        except BackendError:
            continue  # not what is asked about
        if hint := backend.native_backup(beginning):
            message = f"The file {file} is a database of the engine {backend.engine}, no archive."
            raise BackupError(message, hint=hint)
    message = f"The file {file} is not an archive that `teleclaude db backup --portable` wrote."
    raise BackupError(message, hint=NOTHING)
