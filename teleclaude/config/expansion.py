"""`${VAR}` in a value of the file becomes the value of the environment variable.

Works on single values after the file was parsed, never on the file's text, so that nothing a
variable contains can change the structure of the configuration.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_REFERENCE: Final = re.compile(
    r"(?P<escaped>\$\$\{)"
    r"|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?::-(?P<fallback>[^}]*))?\}"
    r"|(?P<malformed>\$\{)"
)


class ExpansionError(ValueError):
    """A reference cannot be expanded; the text says why and never quotes the value."""


def expand(text: str, environ: Mapping[str, str]) -> str:
    """Replace the references in a value.

    `${VAR}` must be set; `${VAR:-text}` gives `text` when it is unset or empty; `$${` gives `${`.
    Any other `$` stays, because passwords contain them.

    Args:
        text: The value.
        environ: The environment variables.

    Returns:
        The value with its references replaced, once: what a variable contains is not looked into.

    Raises:
        ExpansionError: A variable is not set, or a `${` starts no reference.
    """

    def replacement(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "${"
        if match["malformed"]:
            message = (
                "contains '${' that does not start a ${VARIABLE}; write '$${' for a literal '${'."
            )
            raise ExpansionError(message)
        value = environ.get(match["name"])
        if match["fallback"] is not None:
            return value or match["fallback"]
        if value is None:
            message = f"the environment variable {match['name']} is not set."
            raise ExpansionError(message)
        return value

    return _REFERENCE.sub(replacement, text)
