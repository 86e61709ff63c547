"""What the runner is asked and what it answers: plain data."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from teleclaude.backends import AdoptionReport


class Revision(NamedTuple):
    """One revision of the schema.

    Attributes:
        id: Its identifier.
        down: The revision it builds on, `None` for the first.
        title: What it does, one line.
    """

    id: str
    down: str | None
    title: str


class Migrated(NamedTuple):
    """What a migration did.

    Attributes:
        before: The revision before, `None` for an empty database.
        after: The revision after.
        backup: The copy that was made first, where one was.
        adoption: What was converted, if an earlier TeleClaude had made the database.
    """

    before: str | None
    after: str | None
    backup: Path | None
    adoption: AdoptionReport | None = None

    @property
    def changed(self) -> bool:
        """Whether there was anything to do."""
        return self.before != self.after


class Wanted(NamedTuple):
    """What a migration is to lead to, and how.

    Attributes:
        revision: The revision, once the target that was named is resolved.
        forward: Whether it is an upgrade.
        adopt_only: Whether there has to be something to adopt.
        strict: Whether an adoption may leave nothing in quarantine.
        dry_run: Whether it is undone at the end.
    """

    revision: str | None
    forward: bool
    adopt_only: bool = False
    strict: bool = False
    dry_run: bool = False


class DryRun(Exception):  # noqa: N818 - it is no error: it undoes what was only tried
    """Carries what would have been done out of the transaction, which it rolls back."""

    def __init__(self, migrated: Migrated) -> None:
        """Make it from what would have been done."""
        self.migrated = migrated
