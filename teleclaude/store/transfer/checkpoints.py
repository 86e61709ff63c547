"""How far a copy has come: a table in the target, there only while the copy is not finished.

A batch and its checkpoint are committed together, so what the table says is true whenever the copy
stops. Meanwhile the schema's revision reads `UNFINISHED_COPY`: no daemon starts on a half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    Column,
    MetaData,
    Table,
    bindparam,
    column,
    insert,
    select,
    update,
)
from sqlalchemy import table as any_table

from teleclaude.errors import CopyError
from teleclaude.migrations import UNFINISHED_COPY
from teleclaude.store.models import metadata
from teleclaude.store.types import BigInt, JsonDocument, Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Executable
    from sqlalchemy.ext.asyncio import AsyncConnection

_TABLE: Final = Table(
    "teleclaude_unfinished_copy",
    MetaData(),
    Column("name", Key, primary_key=True),
    Column("revision", Key, nullable=False),
    Column("rows", BigInt, nullable=False),
    Column("key", JsonDocument),
)

SAVE: Final[Executable] = (
    update(_TABLE)
    .where(_TABLE.c.name == bindparam("name_"))
    .values(rows=bindparam("rows_"), key=bindparam("key_"))
)
"""Saves a checkpoint; its parameters are those of `Checkpoint.parameters`."""

_REVISION: Final = any_table("alembic_version", column("version_num"))


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How much of a table is in the target.

    Attributes:
        rows: Its number of rows.
        key: The primary key of the last one, `None` before the first.
    """

    rows: int
    key: tuple[object, ...] | None = None

    def parameters(self, table: Table) -> Mapping[str, object]:
        """Give the parameters of `SAVE`."""
        key = None if self.key is None else list(self.key)
        return {"name_": table.name, "rows_": self.rows, "key_": key}


async def begin(connection: AsyncConnection, revision: str) -> None:
    """Note that a copy begins.

    Args:
        connection: A connection of the target, in a transaction.
        revision: The revision of its schema.
    """
    await connection.run_sync(_TABLE.create)
    rows = [
        {"name": name, "revision": revision, "rows": 0, "key": None} for name in metadata.tables
    ]
    await connection.execute(insert(_TABLE), rows)
    await connection.execute(update(_REVISION).values(version_num=UNFINISHED_COPY))


async def load(connection: AsyncConnection, revision: str) -> dict[str, Checkpoint]:
    """Read how far an interrupted copy had come.

    Args:
        connection: A connection of the target.
        revision: The revision its schema should have.

    Returns:
        The checkpoints by table.

    Raises:
        CopyError: The copy was begun with another revision.
    """
    rows = (await connection.execute(select(_TABLE))).all()
    if {row.revision for row in rows} != {revision}:
        message = "The interrupted copy was begun by another version of TeleClaude."
        raise CopyError(message, hint="Begin again with --replace.")
    return {row.name: Checkpoint(row.rows, row.key and tuple(row.key)) for row in rows}


async def end(connection: AsyncConnection) -> None:
    """Note that the copy is finished, or given up.

    Args:
        connection: A connection of the target, in a transaction.
    """
    revision = (await connection.execute(select(_TABLE.c.revision).limit(1))).scalar_one()
    await connection.execute(update(_REVISION).values(version_num=revision))
    await connection.run_sync(_TABLE.drop)
