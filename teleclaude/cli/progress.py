"""How far a long command has come: bars on a terminal, lines elsewhere, nothing for programs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from teleclaude.cli.tables import console

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console
    from rich.progress import Task, TaskID

    from teleclaude.store.transfer import Progress as Hearer

_EVERY: Final = 10.0
"""Seconds between two lines about the same table."""


class _Rate(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        """Show the rate, once it is known."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "")


class Bars:
    """A bar for each table, with rate and time left."""

    def __init__(self, console: Console) -> None:
        """Draw on a terminal."""
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeRemainingColumn(),
            console=console,
        )
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the bars as they are."""
        self._progress.stop()

    def say(self, message: str) -> None:
        """Show a sentence above the bars."""
        self._progress.console.print(Text(message))

    def begin(self, step: str, table: str, total: int) -> None:
        """Show a new bar."""
        self._task = self._progress.add_task(f"{step} {table}", total=total)

    def advance(self, rows: int) -> None:
        """Move it."""
        if self._task is not None:
            self._progress.advance(self._task, rows)

    def end(self) -> None:
        """Leave it full."""
        self._task = None


class Lines:
    """A line for each table that has rows, and more of them where it takes long."""

    def __init__(self, console: Console) -> None:
        """Print to where it is read later."""
        self._console = console
        self._what = ""
        self._total = self._done = 0
        self._said = 0.0

    def say(self, message: str) -> None:
        """Print a sentence."""
        self._console.print(Text(message))

    def begin(self, step: str, table: str, total: int) -> None:
        """Note what is begun."""
        self._what, self._total, self._done = f"{step} {table}", total, 0
        self._said = time.monotonic()

    def advance(self, rows: int) -> None:
        """Print how far it is, now and then."""
        self._done += rows
        if time.monotonic() - self._said > _EVERY:
            self._said = time.monotonic()
            self.say(f"{self._what}: {self._done:,} of {self._total:,} rows")

    def end(self) -> None:
        """Print that it is done."""
        if self._done:
            self.say(f"{self._what}: {self._done:,} rows")


class Silence:
    """Nothing."""

    def say(self, message: str) -> None:
        """Do nothing."""

    def begin(self, step: str, table: str, total: int) -> None:
        """Do nothing."""

    def advance(self, rows: int) -> None:
        """Do nothing."""

    def end(self) -> None:
        """Do nothing."""


@contextmanager
def shown(*, quiet: bool) -> Iterator[Hearer]:
    """Show progress as it suits where it is printed to.

    Args:
        quiet: Whether to show none.

    Yields:
        What hears how a command goes on.
    """
    screen = console()
    if quiet:
        yield Silence()
    elif screen.is_terminal:
        with Bars(screen) as bars:
            yield bars
    else:
        yield Lines(screen)
