"""`restore_store`: the order in which everything happens."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from teleclaude.errors import BackupError
from teleclaude.store.archive.checking import check_archive
from teleclaude.store.archive.native import require_archive
from teleclaude.store.archive.source import ArchiveSource
from teleclaude.store.transfer.copying import while_held
from teleclaude.store.transfer.options import Outcome
from teleclaude.store.transfer.rehearsal import rows_in_the_way
from teleclaude.store.transfer.report import CopyReport, TableReport
from teleclaude.store.transfer.run import CopyRun, not_empty
from teleclaude.store.transfer.side import Side

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from teleclaude.config import Config
    from teleclaude.store.archive.reading import TableEnd
    from teleclaude.store.transfer.options import CopyOptions, Progress


async def restore_store(
    archive: Path, target: Config, options: CopyOptions, progress: Progress
) -> CopyReport:
    """Load an archive into a database, and verify what is there afterwards.

    The archive is checked to its end before anything is written. Interrupted, restoring is
    continued by calling this again with the same archive.

    Args:
        archive: The file that `back_up` wrote.
        target: Where to.
        options: How; with `dry_run`, only whether it would work.
        progress: Hears how it goes on.

    Returns:
        What was done, archive and database compared.

    Raises:
        BackupError: The file is not a complete, unaltered archive for this version of TeleClaude.
        CopyError: The target is not empty, refuses a value, or differs afterwards.
        InstanceLockedError: A daemon uses the target.
        InstanceLockLostError: The lock of the target was lost.
        MigrationError: The schema of the target is not the one that is needed.
        StoreUnavailableError: The target cannot be reached, or broke off.
    """
    side = Side(target)
    try:
        with _opened(archive) as stream:
            require_archive(stream, archive)
            checked = await check_archive(stream, archive, side, progress)
            if options.dry_run:
                return await _rehearse(archive, side, options, checked)
            async with side.lock() as lock:
                source = ArchiveSource(stream, archive, checked)
                run = CopyRun(source, side, options, progress)
                return await while_held([lock], run.copy())
    finally:
        await side.close()


@contextmanager
def _opened(archive: Path) -> Iterator[BinaryIO]:
    try:
        with archive.open("rb") as stream:
            if not stream.seekable():
                message = f"The archive {archive} is not a file, and would have to be read twice."
                raise BackupError(message, hint="Save it to a file first.")
            yield stream
    except OSError as error:
        # Of the archive: what a database's driver raises is translated before it gets here.
        message = f"The archive {archive} cannot be read: {error.strerror or error}."
        raise BackupError(message, hint="Correct the path or the permissions.") from error


async def _rehearse(
    archive: Path, target: Side, options: CopyOptions, checked: Mapping[str, TableEnd]
) -> CopyReport:
    rows = await rows_in_the_way(target)
    if any(rows.values()) and not options.replace:
        raise not_empty(target.location, rows)
    tables = [
        TableReport(name, its.rows, "", its.rows, "", 0, its.last_id, its.last_id)
        for name, its in checked.items()
    ]
    return CopyReport(Outcome.CHECKED, str(archive), target.location, 0, tables)
