"""Reading a password from its file; by itself, because it is needed where the settings are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


def read_password(file: str | Path) -> str:
    """Read a password.

    Args:
        file: The file that holds it and nothing else; one trailing line break is ignored.

    Returns:
        The password.

    Raises:
        ConfigError: The file cannot be read, is no text, or is empty.
    """
    key = "database.password_file"
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - pathlib is not loaded for this
            password = stream.read().decode()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}."
        raise ConfigError(message, key=key) from error
    except UnicodeDecodeError:
        message = f"{file} is not a text file in UTF-8."
        raise ConfigError(message, key=key) from None  # the cause would quote the password
    password = password.removesuffix("\n").removesuffix("\r")
    if not password:
        message = f"{file} is empty; it should hold the password."
        raise ConfigError(message, key=key)
    return password
