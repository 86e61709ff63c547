"""What a copy ends with: both sides of every table, next to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from teleclaude.store.transfer.options import Outcome


class TableReport(NamedTuple):
    """A table on both sides.

    Attributes:
        name: The table.
        source_rows: Its rows in the source.
        source_hash: The hash of their content.
        target_rows: Its rows in the target.
        target_hash: The hash of their content.
        orphans: Rows in the target that refer to none.
        source_id: The highest id the source has used up; `None` where the table has no ids.
        target_id: The same of the target, which may be higher.
    """

    name: str
    source_rows: int
    source_hash: str
    target_rows: int
    target_hash: str
    orphans: int
    source_id: int | None
    target_id: int | None

    @property
    def same_content(self) -> bool:
        """Whether both sides hold the same rows."""
        return (self.source_rows, self.source_hash) == (self.target_rows, self.target_hash)

    @property
    def ids_continue(self) -> bool:
        """Whether the target gives no id that the source has given."""
        return (self.target_id or 0) >= (self.source_id or 0)

    @property
    def agrees(self) -> bool:
        """Whether the table is copied, completely and correctly."""
        return self.same_content and self.ids_continue and not self.orphans


class CopyReport(NamedTuple):
    """What a copy did.

    Attributes:
        outcome: How it ended.
        source: Where the source is.
        target: Where the target is.
        copied: How many rows this run wrote.
        tables: Both sides of every table; for a dry run, the target is as it would be.
    """

    outcome: Outcome
    source: str
    target: str
    copied: int
    tables: Sequence[TableReport]
