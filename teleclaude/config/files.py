"""Finding the configuration file and reading its text; `document` knows what stands in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

FILE_NAME: Final = "teleclaude.yml"
PATH_VARIABLE: Final = "TELECLAUDE_CONFIG_PATH"

_LARGEST: Final = 64 * 1024  # bytes; a mistaken path such as /dev/zero must not fill the memory


def find_file(path: Path | str | None, environ: Mapping[str, str]) -> Path | None:
    """Find the configuration file.

    Args:
        path: The file to use, or `None` to look in the usual places.
        environ: The environment variables.

    Returns:
        The file, absolute, or `None` when there is none. One that was named need not exist.

    Raises:
        ConfigError: A place cannot be looked into.
    """
    named = path if path is not None else environ.get(PATH_VARIABLE) or None
    if named is not None:
        return _absolute(Path(named))
    for candidate in (Path(FILE_NAME), Path("~/.teleclaude", FILE_NAME)):
        file = _absolute(candidate)
        if _exists(file):
            return file
    return None


def read_text(file: Path) -> str:
    """Read the text of a configuration file.

    Args:
        file: The file.

    Returns:
        Its text.

    Raises:
        ConfigError: It does not exist, cannot be read, is too large or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        hint = f"Check its name; without --config and {PATH_VARIABLE}, no file is needed."
        raise ConfigError("the file does not exist.", file=file, hint=hint) from error
    except IsADirectoryError as error:
        hint = f"Name the file itself, such as {file / FILE_NAME}."
        raise ConfigError("is a directory, not a file.", file=file, hint=hint) from error
    except (OSError, ValueError) as error:
        raise _unreadable(file, error) from error
    if len(content) > _LARGEST:
        hint = "Name a configuration; a database is named in one, in its section `database:`."
        message = "is larger than 64 KiB, so it is no configuration file."
        raise ConfigError(message, file=file, hint=hint)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "is not UTF-8 text.", file=file, line=line, hint="Save it as UTF-8."
        ) from error


def _absolute(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError):  # the working directory is gone, or nobody's home is known
        return path


def _exists(file: Path) -> bool:
    # A dangling link counts as there: somebody meant it to be read.
    try:
        file.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise _unreadable(file, error) from error
    return True


def _unreadable(file: Path, error: OSError | ValueError) -> ConfigError:
    reason = getattr(error, "strerror", None) or str(error)
    hint = f"Make it readable for this user, or name another file with --config or {PATH_VARIABLE}."
    return ConfigError(f"cannot be read: {reason}.", file=file, hint=hint)
