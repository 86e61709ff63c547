"""Saying whether a file is damaged, from what SQLite's integrity check finds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

CHECK: Final = "PRAGMA integrity_check"
"""Gives one line for each thing it finds, or `ok` (https://www.sqlite.org/pragma.html)."""

_HARMLESS: Final = (
    "ok",
    # Rows that a constraint would not let in today. They are readable, so they are no damage.
    "NULL value in ",
    "CHECK constraint failed in ",
    # Newer versions of SQLite look into full-text indexes as well. Those can be made anew.
    "malformed inverted index for FTS",
    "unable to validate the inverted index for FTS",
)


def damage(found: Iterable[str]) -> str | None:
    """Give the first thing found that means damage.

    Args:
        found: What `CHECK` gives.

    Returns:
        What SQLite says, in one line, or `None` when the file is sound.
    """
    for line in found:
        if not line.startswith(_HARMLESS):
            return " ".join(line.split()).rstrip(".")
    return None
