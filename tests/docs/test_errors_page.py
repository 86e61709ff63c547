"""`docs/errors.md` says what the error tree is."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import teleclaude
from teleclaude import errors
from teleclaude.errors import TeleclaudeError

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| ((?:- )*)`(\w+)` \| (\d+) \| (.+?) \|$", re.MULTILINE)
ATTRIBUTE_ROW = re.compile(r"^\| `(\w+Error)` \| ((?:`\w+`(?:, )?)+) \|", re.MULTILINE)


def tree(error: type[TeleclaudeError], depth: int = 0) -> Iterator[tuple[int, str, int, str]]:
    """Walk down the classes in the order in which they are written."""
    yield depth, error.__name__, error.exit_code, str(error.__doc__).splitlines()[0]
    for child in error.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child, depth + 1)


def test_the_page_has_the_tree() -> None:
    """Every error stands at its place in the tree, with its exit code."""
    written = [(len(depth) // 2, name, int(code)) for depth, name, code, _ in ROW.findall(PAGE)]
    assert written == [entry[:3] for entry in tree(TeleclaudeError)]


def test_the_page_explains_each_error_in_its_own_words() -> None:
    """The meaning of an error is the first sentence of its docstring."""
    written = {name: meaning for _, name, _, meaning in ROW.findall(PAGE)}
    del written["TeleclaudeError"]  # which stands for everything that has no class of its own
    actual = {name: meaning for _, name, _, meaning in tree(TeleclaudeError)}
    assert written == {name: actual[name] for name in written}


def test_the_page_names_what_an_error_carries() -> None:
    """Every attribute that a constructor takes beside the message is explained, and no other."""
    written = {
        (name, attribute)
        for name, attributes in ATTRIBUTE_ROW.findall(PAGE)
        for attribute in re.findall(r"\w+", attributes)
    }
    actual = {
        (name, parameter)
        for _, name, _, _ in tree(TeleclaudeError)
        for parameter in inspect.signature(getattr(errors, name)).parameters
        if parameter not in ("self", "message", "hint")
    }
    assert written == actual


@pytest.mark.parametrize("name", [name for _, name, _, _ in tree(TeleclaudeError)])
def test_errors_can_be_imported_from_the_package(name: str) -> None:
    """`from teleclaude import NotFoundError` works for every error."""
    assert getattr(teleclaude, name) is getattr(errors, name)
