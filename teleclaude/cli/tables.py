"""Tables for people, and whole lines for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_UNLIMITED: Final = 10_000


def console() -> Console:
    """Give a console that breaks lines for the eye only; programs that read get whole ones."""
    console = Console(highlight=False, soft_wrap=True)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def print_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table to standard output.

    Args:
        titles: The heading of each column.
        rows: The cells, as plain text.
    """
    table = Table(box=box.SIMPLE_HEAD)
    for title in titles:
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)
