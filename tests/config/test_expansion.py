"""`${VAR}` in values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from teleclaude.config.expansion import ExpansionError, expand
from teleclaude.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from teleclaude.config import Config

    Load = Callable[..., Config]

ENVIRON = {"A": "1", "LONG_NAME_2": "two", "EMPTY": "", "DOLLARS": "${A}$A$${A}"}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("${A}", "1"),
        ("x${A}y${LONG_NAME_2}z", "x1ytwoz"),
        ("${EMPTY}", ""),
        ("${MISSING:-fallback}", "fallback"),
        ("${MISSING:-}", ""),
        ("${EMPTY:-fallback}", "fallback"),
        ("${A:-fallback}", "1"),
        ("$${A}", "${A}"),
        ("$$", "$$"),
        ("pa$$word$1$A$", "pa$$word$1$A$"),
        ("${DOLLARS}", "${A}$A$${A}"),
        ("{A}", "{A}"),
    ],
)
def test_expansion(text: str, expanded: str) -> None:
    """References are replaced once; a `$` that starts none stays."""
    assert expand(text, ENVIRON) == expanded


@pytest.mark.parametrize("text", ["${", "${}", "${A", "${A B}", "${1A}", "${A:?no}", "${A-b}"])
def test_what_only_looks_like_a_reference_is_an_error(text: str) -> None:
    """A malformed reference is refused without quoting the value, which may be a secret."""
    with pytest.raises(ExpansionError, match=r"write '\$\$\{'") as caught:
        expand(f"hunter2{text}", ENVIRON)
    assert "hunter2" not in str(caught.value)


def test_an_unset_variable_is_an_error_with_file_line_key_and_name(load: Load) -> None:
    """Every unset variable of the file is named with its place."""
    with pytest.raises(ConfigError) as caught:
        load("database:\n  host: ${NOPE}\ndaemon:\n  startup_timeout: ${NEITHER}\n")
    first, second = str(caught.value).splitlines()
    assert first.endswith(":2: database.host: the environment variable NOPE is not set.")
    assert second.endswith(
        ":4: daemon.startup_timeout: the environment variable NEITHER is not set."
    )


def test_a_value_cannot_change_the_structure(load: Load) -> None:
    """What looks like YAML inside a variable stays the text of one value."""
    text = "a\n  port: 1\ndaemon: {x: &y 'z"
    config = load("database:\n  engine: ${E}\n  host: ${TEXT}\n", TEXT=text, E="fake")
    assert config.database.model_dump()["host"] == text
    assert config.sources["database.port"] == "default"


def test_keys_are_not_expanded(load: Load) -> None:
    """Only values are expanded."""
    with pytest.raises(ConfigError, match=r"database\.\$\{KEY\}: .*no such setting"):
        load("database:\n  ${KEY}: a\n", KEY="host")


def test_list_items_are_expanded(load: Load) -> None:
    """Each item of a list is a value."""
    config = load("database:\n  engine: fake\n  tags: ['${A}', b]\n", A="a")
    assert config.database.model_dump()["tags"] == ["a", "b"]
