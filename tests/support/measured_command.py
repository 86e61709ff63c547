"""The command line, and how much memory it took: `python measured_command.py FILE WORD...`.

The most it had at any time goes into the file, in KiB.
"""

from __future__ import annotations

import sys
from pathlib import Path

from teleclaude.cli import main


def peak() -> int:
    """Give the most memory that this process had; Linux's getrusage counts its parent's, too."""
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1])
    raise AssertionError


if __name__ == "__main__":
    _, file, *words = sys.argv
    sys.argv = ["teleclaude", *words]
    try:
        main()
    finally:
        Path(file).write_text(str(peak()), encoding="ascii")
