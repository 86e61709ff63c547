"""Checking a whole archive before anything is written: every byte, line and value."""

from __future__ import annotations

import asyncio
import json
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO

from teleclaude.errors import BackupError, CopyError, InvalidValueError
from teleclaude.store.archive import lines
from teleclaude.store.archive.reading import ArchiveReader, TableEnd, check_seal, damaged
from teleclaude.store.transfer.reading import key_of
from teleclaude.store.transfer.run import refused_rows
from teleclaude.store.transfer.verification import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from sqlalchemy import Table

    from teleclaude.store.transfer.content import Row
    from teleclaude.store.transfer.options import Progress
    from teleclaude.store.transfer.side import Side


async def check_archive(
    stream: BinaryIO, file: Path, target: Side, progress: Progress
) -> Mapping[str, TableEnd]:
    """Read an archive to its end.

    Args:
        stream: The archive, open.
        file: Its name, for errors.
        target: Where it is to be loaded into; that is not connected to.
        progress: Hears how it goes on.

    Returns:
        What each table holds.

    Raises:
        BackupError: It is damaged, was made for another revision of the schema, or
            holds a value that the target would refuse.
    """
    sealed = await check_seal(stream, file)
    check = _Check(stream, file, target, progress)
    check.header()
    found = {table.name: await check.table(table) for table in TABLES}
    check.reader.end(sealed)
    return found


class _Check:
    """One pass over an archive."""

    def __init__(self, stream: BinaryIO, file: Path, target: Side, progress: Progress) -> None:
        self.reader = ArchiveReader(stream, file)
        self._file = file
        self._target = target
        self._progress = progress

    def header(self) -> None:
        found = self.reader.header()
        if found.get("archive") != "teleclaude":
            raise damaged(self._file, "it holds something else")
        if found.get("version") != lines.VERSION:
            message = (
                f"The archive {self._file} has format {found.get('version')}; "
                f"this version of TeleClaude reads format {lines.VERSION}."
            )
            raise BackupError(message, hint="Restore it with the TeleClaude that made it.")
        revision = str(self._target.migrator.head)
        if found.get("revision") != revision:
            raise self._other_revision(str(found.get("revision")))
        if found != json.loads(lines.header(revision, TABLES)):
            raise damaged(self._file, "its tables are not those of its revision")

    def _other_revision(self, revision: str) -> BackupError:
        migrator = self._target.migrator
        message = (
            f"The archive {self._file} was made at revision {revision} of the schema; "
            f"this version of TeleClaude needs {migrator.head}."
        )
        if any(revision == known.id for known in migrator.history()):
            hint = (
                "Restore it with the version of TeleClaude that made it, then upgrade the "
                "database: teleclaude db upgrade"
            )
        else:
            hint = "Upgrade TeleClaude: pip install --upgrade teleclaude"
        return BackupError(message, hint=hint)

    async def table(self, table: Table) -> TableEnd:
        expected, rows = self.reader.begin_table(table), 0
        last: tuple[object, ...] | None = None
        self._progress.begin("check", table.name, expected)
        while texts := self.reader.rows():
            last = self._check_rows(table, texts, last)
            rows += len(texts)
            self._progress.advance(len(texts))
            await asyncio.sleep(0)
        self._progress.end()
        end = self.reader.end_table(table)
        if rows != expected:
            raise damaged(self._file, f"{table.name} has {rows:,} rows instead of {expected:,}")
        return end

    def _check_rows(
        self, table: Table, texts: Sequence[bytes], last: tuple[object, ...] | None
    ) -> tuple[object, ...]:
        try:
            rows = lines.decoded(table, texts)
        except InvalidValueError as error:
            raise self._refused(error) from error
        except (ValueError, RecursionError) as error:
            raise damaged(self._file, f"a row of {table.name} is not what it should be") from error
        for refused in refused_rows(table, rows, self._target.dialect):
            raise self._refused(refused) from refused
        return self._check_order(table, rows, last)

    def _check_order(
        self, table: Table, rows: Sequence[Row], last: tuple[object, ...] | None
    ) -> tuple[object, ...]:
        keys: list[tuple[object, ...]] = [
            *([last] if last else []),
            *(key_of(table, r) for r in rows),
        ]
        if any(one >= other for one, other in pairwise(keys)):
            raise damaged(
                self._file, f"the rows of {table.name} are not in the order of their keys"
            )
        return keys[-1]

    def _refused(self, error: CopyError | InvalidValueError) -> BackupError:
        return damaged(self._file, f"a value is refused. {error.message.rstrip('.')}")
