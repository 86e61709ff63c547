"""`Given`, a value somebody gave for a key, and how several mistakes become one `ConfigError`."""

from __future__ import annotations

from difflib import get_close_matches
from enum import IntEnum
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

SECTIONS: Final = ("database", "daemon")
"""The sections there are."""

Value: TypeAlias = "str | list[str | None] | None"
"""A value before validation: always text, so that the settings class alone decides what it is."""


class Rank(IntEnum):
    """How strong a source is; the strongest one that gives a key decides."""

    FILE = 0
    ENGINE_VARIABLE = 1
    VARIABLE = 2


class Given(NamedTuple):
    """A value and where it came from.

    Attributes:
        value: The value, `${VAR}` expanded.
        rank: How strong its source is.
        file: The file it stands in, or `None`.
        line: Its line in that file, counted from 1, or `None`.
        variable: The environment variable that gives it, or `None`.
    """

    value: Value
    rank: Rank
    file: Path | None = None
    line: int | None = None
    variable: str | None = None

    @property
    def source(self) -> str:
        """Where the value came from, for people."""
        if self.file is None:
            return f"environment {self.variable}"
        return f"{self.file.name}:{self.line}"


def suggestion(word: str, known: Iterable[str]) -> str | None:
    """Give the known word that a misspelt one probably stands for."""
    close = get_close_matches(word.lower(), list(known), n=1)
    return close[0] if close else None


def combined(problems: Sequence[ConfigError]) -> ConfigError:
    """Make one error of one or more problems, a line each in the order of the file."""
    ordered = sorted(problems, key=lambda problem: (problem.line is None, problem.line or 0))
    first = ordered[0]
    if len(ordered) == 1:
        return first
    error = ConfigError("\n".join(str(problem) for problem in ordered))
    error.file, error.line, error.key = first.file, first.line, first.key
    return error
