"""A restore in a process of its own: `python restore_process.py ARCHIVE TARGET ROWS`.

It says `ready` when so many rows are loaded and committed, and goes on when it reads a line; then
it says what became of it.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from copy_process import Halting
from teleclaude import load_config
from teleclaude.store.archive import restore_store
from teleclaude.store.transfer import CopyOptions


async def main(archive: str, target: str, rows: str) -> None:
    """Restore."""
    config = load_config(target, environ={})
    report = await restore_store(Path(archive), config, CopyOptions(), Halting(int(rows)))
    print(report.outcome.value, report.copied)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
