"""The manifest: what a process must know to store an event, and what decides whether it is true.

It is one JSON file per configuration file, in `~/.teleclaude`, which whoever writes events can find
without reading the configuration. It holds no secret; environment variables are in it as checksums.
Writing it is the business of `writing`.
"""

from __future__ import annotations

import json
import os
import stat
import zlib

import teleclaude

TYPE_CHECKING = False  # without `typing`
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

FORMAT: Final = 1
"""Grows when the meaning of a manifest changes."""

PATH_VARIABLE: Final = "TELECLAUDE_CONFIG_PATH"
FILE_NAME: Final = "teleclaude.yml"
HOME: Final = "~/.teleclaude"


def config_file(named: str | None, environ: Mapping[str, str]) -> str | None:
    """Find the configuration file where `teleclaude.config` finds it.

    Args:
        named: The file to use, or `None` to look in the usual places.
        environ: The environment variables.

    Returns:
        Its absolute path in one spelling, or `None` when there is none.

    Raises:
        OSError: A place cannot be looked into.
    """
    named = named if named is not None else environ.get(PATH_VARIABLE) or None
    if named is not None:
        return spelled(named)
    for candidate in (FILE_NAME, f"{HOME}/{FILE_NAME}"):
        file = spelled(candidate)
        try:
            os.lstat(file)
        except (FileNotFoundError, NotADirectoryError):
            continue
        return file
    return None


def spelled(path: str) -> str:
    """Give the one spelling of a path by which two processes know that they mean the same."""
    return os.path.abspath(os.path.expanduser(path))  # noqa: PTH100, PTH111 - pathlib costs 3 ms


def place(config: str | None) -> str:
    """Give the path of the manifest for a configuration file.

    Args:
        config: What `config_file` gave.
    """
    name = "default" if config is None else f"{zlib.crc32(os.fsencode(config)):08x}"
    return os.path.join(os.path.expanduser(HOME), f"hook-{name}.json")  # noqa: PTH111, PTH118


def stamp(path: str) -> list[object]:
    """Give what changes when a file does, its path first.

    Raises:
        OSError: It cannot be looked at.
    """
    facts = os.stat(path)  # noqa: PTH116
    return [path, facts.st_mtime_ns, facts.st_size, facts.st_ino]


def checksum(value: str | None) -> int | None:
    """Give what changes when a variable does, and does not give away what it is."""
    return None if value is None else zlib.crc32(os.fsencode(value))


def overrides(environ: Mapping[str, str]) -> dict[str, int | None]:
    """Give the checksums of all variables that set keys of the configuration."""
    return {
        name: checksum(value)
        for name, value in environ.items()
        if value and name[:11].lower() == "teleclaude_" and "__" in name
    }


def checksums(names: Iterable[str], environ: Mapping[str, str]) -> dict[str, int | None]:
    """Give the checksums of variables by name, `None` for one that is not set."""
    return {name: checksum(environ.get(name)) for name in names}


def load(config: str | None, environ: Mapping[str, str]) -> dict[str, Any] | None:
    """Load the manifest of a configuration file.

    Args:
        config: What `config_file` gave.
        environ: The environment variables.

    Returns:
        The manifest, or `None` where there is none that is certainly still true.
    """
    try:
        found = _read(place(config))
        return found if found and _is_true(found, config, environ) else None
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None  # damaged, or of another version


def _read(path: str) -> dict[str, Any] | None:
    # It names code that is run, so nobody else may have written it.
    with open(path, "rb") as file:  # noqa: PTH123
        facts = os.fstat(file.fileno())
        if facts.st_uid != os.geteuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            return None
        found: dict[str, Any] = json.loads(file.read())
        return found


def _is_true(found: Mapping[str, Any], config: str | None, environ: Mapping[str, str]) -> bool:
    return bool(
        found["format"] == FORMAT
        and found["teleclaude"] == [teleclaude.__version__, teleclaude.__file__]
        and found["config"] == config
        and all(stamp(one[0]) == one for one in found["files"])
        and found["overrides"] == overrides(environ)
        and found["variables"] == checksums(found["variables"], environ)
        and found["directory"] in (None, os.getcwd())  # noqa: PTH109
    )
