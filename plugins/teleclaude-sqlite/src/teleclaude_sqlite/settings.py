"""The `database:` section of the SQLite backend."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from teleclaude.backends import BackendSettings

_VARIABLE = re.compile(r"\$(?:\w|\{)")


def _expand(path: Path) -> Path:
    if str(path) == ":memory:" or str(path).startswith("file:"):
        message = "The path must be a file: a database in memory would be gone with the process."
        raise ValueError(message)
    expanded = os.path.expandvars(path.expanduser())
    if _VARIABLE.search(expanded):
        message = f"The path has a variable that is not set in the environment: {expanded}."
        raise ValueError(message)
    return Path(expanded).absolute()


class SqliteSettings(BackendSettings):
    """Where the SQLite file is and how carefully it is written."""

    environment: ClassVar[Mapping[str, str]] = {"TELECLAUDE_DB_PATH": "path"}

    path: Annotated[Path, AfterValidator(_expand)] = Path("~/.teleclaude/teleclaude.db")
    """The database file. `~` and `$VAR` are expanded. Default `~/.teleclaude/teleclaude.db`."""

    busy_timeout: Annotated[float, Field(ge=0, le=3600, allow_inf_nan=False)] = 5.0
    """How many seconds to wait while another process is writing. Default 5."""

    synchronous: Literal["normal", "full"] = "normal"
    """`normal` survives a crash of the process and cannot be corrupted by a power cut, but may then
    lose the last transactions; `full` keeps every committed transaction. Default `normal`."""

    cache_size: Annotated[int, Field(ge=1, le=1_048_576)] = 16
    """Page cache of each connection in MiB. Default 16."""

    @property
    def location(self) -> str:
        """The path of the database file."""
        return str(self.path)

    @property
    def real_path(self) -> Path:
        """The file itself, behind any symbolic links: what two processes must agree on."""
        return Path(
            os.path.realpath(self.path)
        )  # unlike resolve(), no error where links go in circles
