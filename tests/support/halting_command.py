"""A command that halts: `python halting_command.py STEP ROWS WORD...`.

It says `ready` when so many rows of a step are done, and goes on when it reads a line. Whatever
else it does is what the command line does.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from copy_process import Halting
from teleclaude.cli import main, progress

if TYPE_CHECKING:
    from collections.abc import Iterator


def run(step: str, rows: str, *words: str) -> None:
    """Run the command."""

    @contextmanager
    def shown(**_: object) -> Iterator[Halting]:
        yield Halting(int(rows), step)

    progress.shown = shown
    sys.argv = ["teleclaude", *words]
    main()


if __name__ == "__main__":
    run(*sys.argv[1:])
