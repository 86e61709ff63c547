"""A copy in a process of its own: `python copy_process.py SOURCE TARGET ROWS`.

It says `ready` when so many rows are copied and committed, and goes on when it reads a line; then
it says what became of it.
"""

from __future__ import annotations

import asyncio
import sys

from copies import Told
from teleclaude import load_config
from teleclaude.store.transfer import CopyOptions, copy_store


class Halting(Told):
    """Progress that waits for the test at a certain point."""

    def __init__(self, rows: int) -> None:
        """Wait after so many rows."""
        super().__init__()
        self._missing: int | None = rows

    def advance(self, rows: int) -> None:
        """Count rows that are committed."""
        super().advance(rows)
        if self.current[0] != "copy" or self._missing is None:
            return
        self._missing -= rows
        if self._missing <= 0:
            self._missing = None
            print("ready", flush=True)  # noqa: T201
            sys.stdin.readline()


async def main(source: str, target: str, rows: str) -> None:
    """Copy."""
    ours, theirs = (load_config(file, environ={}) for file in (source, target))
    report = await copy_store(ours, theirs, CopyOptions(), Halting(int(rows)))
    print(report.outcome.value, report.copied)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
