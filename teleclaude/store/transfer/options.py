"""What a copy is told, and what it tells while it works."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CopyOptions:
    """How to copy.

    Attributes:
        online: Copy a snapshot although a daemon uses the source.
        replace: Empty the target first.
        dry_run: Check everything, write nothing.
    """

    online: bool = False
    replace: bool = False
    dry_run: bool = False


class Outcome(Enum):
    """What became of a copy."""

    COPIED = "copied"
    """Everything was copied."""
    RESUMED = "resumed"
    """An interrupted copy was finished."""
    ALREADY_COPIED = "already copied"
    """The target has held the same before; nothing was written."""
    CHECKED = "checked"
    """It was a dry run."""


class Progress(Protocol):
    """Hears how a copy goes on. Its methods are called often and must be quick."""

    def say(self, message: str) -> None:
        """Hear what happens next, one sentence."""
        ...

    def begin(self, step: str, table: str, total: int) -> None:
        """Hear that a table is begun.

        Args:
            step: What is done to it, one word.
            table: Its name.
            total: How many rows it has.
        """
        ...

    def advance(self, rows: int) -> None:
        """Hear that so many more rows of the table are done."""
        ...

    def end(self) -> None:
        """Hear that the table is done."""
        ...
